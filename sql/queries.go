package sql

import (
	"context"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
)

// runner is what a pool and a transaction have in common.
type runner interface {
	GetContext(ctx context.Context, dest any, query string, args ...any) error
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

// queries implements domain.Queries over a pool or a transaction; the reads
// are written once for both and for both engines.
type queries struct {
	run      runner
	now      func() time.Time
	postgres bool
	outside  *DB // set on the reads outside of a transaction
}

var errOutsideReads = errors.New("sql: Database is read inside InTx; use the Tx")

// get reads exactly one row into dest; no row is NotFound.
func (q *queries) get(ctx context.Context, dest any, query string, args ...any) error {
	return q.do(ctx, func(ctx context.Context) error { return q.run.GetContext(ctx, dest, query, args...) })
}

// list reads all rows into the slice that dest points to.
func (q *queries) list(ctx context.Context, dest any, query string, args ...any) error {
	return q.do(ctx, func(ctx context.Context) error { return q.run.SelectContext(ctx, dest, query, args...) })
}

// one reads exactly one row; no row is NotFound.
func one[T any](ctx context.Context, q *queries, query string, args ...any) (row T, err error) {
	err = q.get(ctx, &row, query, args...)
	return row, err
}

// many reads every row, nil where there is none.
func many[T any](ctx context.Context, q *queries, query string, args ...any) (rows []T, err error) {
	err = q.list(ctx, &rows, query, args...)
	return rows, err
}

// do gives a statement its deadline and its errors their kinds.
func (q *queries) do(ctx context.Context, f func(context.Context) error) error {
	// A read beside the transaction would not see its writes, and a pool that
	// is used up would wait for itself.
	if q.outside != nil && insideTx(ctx, q.outside) {
		return errOutsideReads
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return translate(ctx, f(ctx))
}

// in writes "column IN (…)" for ids, with placeholders that start after the
// given arguments, and returns the arguments with the ids added.
func in(column string, ids []int64, args []any) (string, []any) {
	if len(ids) == 0 {
		return "FALSE", args
	}
	s := column + " IN ("
	for i, id := range ids {
		if i > 0 {
			s += ", "
		}
		args = append(args, id)
		s += placeholder(len(args))
	}
	return s + ")", args
}

// orNull turns the id 0 of the domain, "none", into NULL.
func orNull(id int64) *int64 {
	if id == 0 {
		return nil
	}
	return &id
}

var _ runner = (*sqlx.DB)(nil)
