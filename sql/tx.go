package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"prilavok/domain"
)

// retries is how often a transaction is run again that PostgreSQL gave up.
const retries = 3

// tx implements domain.Tx. Its reads are those of queries.
type tx struct {
	queries
	tx     *sqlx.Tx
	conn   *sqlx.Conn // the connection of tx, for River on PostgreSQL
	insert inserter

	// Rules that this transaction has read. A visit asks for them again and
	// again on its way, and shall be judged by one set of them. What writes
	// such a row deletes it here.
	programmes map[int64]domain.Programme
	stores     map[int64]domain.Store
}

var _ domain.Tx = (*tx)(nil)

// txKey marks a context inside InTx with the *DB that it belongs to.
type txKey struct{}

func insideTx(ctx context.Context, db *DB) bool { return ctx.Value(txKey{}) == db }

var errNested = errors.New("sql: InTx is called inside InTx; pass the Tx on instead")

// InTx runs f in one transaction, as domain.Database promises. f and all of
// its statements have txTimeout together. Once f has returned nil the commit
// no longer depends on ctx: a browser that hangs up does not undo a sale.
func (db *DB) InTx(ctx context.Context, f func(ctx context.Context, tx domain.Tx) error) error {
	if insideTx(ctx, db) {
		return errNested
	}
	for try := 0; ; try++ {
		err := db.once(ctx, f)
		if !retryable(err) || try == retries {
			return err
		}
		db.log.WarnContext(ctx, "transaction is run again", "try", try+1, "error", err)
		// The rivals must not meet again at the same moment.
		jitter := rand.IntN(20 << try) //nolint:gosec // nothing secret hangs on it
		if err := pause(ctx, time.Duration(5+jitter)*time.Millisecond); err != nil {
			return translate(ctx, err)
		}
	}
}

// once runs f in one transaction.
func (db *DB) once(ctx context.Context, f func(context.Context, domain.Tx) error) (err error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, txKey{}, db), txTimeout)
	defer cancel()
	// database/sql ends a transaction when the context that began it does,
	// even between f and the commit: so that one carries only the deadline.
	deadline, _ := ctx.Deadline()
	life, end := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer end()

	conn, err := db.write.Connx(ctx)
	if err != nil {
		return translate(ctx, err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool; it cannot fail in a way that matters
	t, err := conn.BeginTxx(life, nil)
	if err != nil {
		return translate(ctx, err)
	}
	// Deferred, so that a panic or a runtime.Goexit in f rolls back too and
	// goes on its way. After a commit it does nothing.
	defer func() {
		if e := t.Rollback(); e != nil && !errors.Is(e, stdsql.ErrTxDone) && err != nil {
			db.log.WarnContext(ctx, "transaction was not rolled back in order", "error", e)
		}
	}()
	q := db.queries
	q.run, q.outside = t, nil
	if err := f(ctx, &tx{
		queries: q, tx: t, conn: conn, insert: db.insert,
		programmes: map[int64]domain.Programme{}, stores: map[int64]domain.Store{},
	}); err != nil {
		return err
	}
	return translate(life, t.Commit())
}

// pause waits, or returns early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Programme reads a programme once in a transaction.
func (t *tx) Programme(ctx context.Context, id int64) (domain.Programme, error) {
	return once(t.programmes, id, func() (domain.Programme, error) { return t.queries.Programme(ctx, id) })
}

// Store reads a store once in a transaction.
func (t *tx) Store(ctx context.Context, id int64) (domain.Store, error) {
	return once(t.stores, id, func() (domain.Store, error) { return t.queries.Store(ctx, id) })
}

// once reads a row unless it is known. Errors are not kept.
func once[T any](known map[int64]T, id int64, read func() (T, error)) (T, error) {
	if row, ok := known[id]; ok {
		return row, nil
	}
	row, err := read()
	if err == nil {
		known[id] = row
	}
	return row, err
}

// exec runs a statement and tells how many rows it touched.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	var n int64
	err := t.do(ctx, func(ctx context.Context) error {
		res, err := t.tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// execOne is exec for a statement that must touch its one row.
func (t *tx) execOne(ctx context.Context, query string, args ...any) error {
	n, err := t.exec(ctx, query, args...)
	if err == nil && n == 0 {
		err = translate(ctx, stdsql.ErrNoRows)
	}
	return err
}

// add runs an INSERT … RETURNING id whose :names are fields of row.
func (t *tx) add(ctx context.Context, query string, row any) (int64, error) {
	query, args, err := t.tx.BindNamed(query, row)
	if err != nil {
		return 0, err
	}
	return one[int64](ctx, &t.queries, query, args...)
}

// addOnce is add for an INSERT … ON CONFLICT DO NOTHING RETURNING id; ok is
// false where the row was there before.
func (t *tx) addOnce(ctx context.Context, query string, row any) (id int64, ok bool, err error) {
	id, err = t.add(ctx, query, row)
	if domain.IsNotFound(err) {
		return 0, false, nil
	}
	return id, err == nil, err
}

// lock is the end of a SELECT that keeps other writers away from its rows.
// SQLite has nothing of the kind and needs nothing: its transactions begin
// with the only write lock. Keys never change, so inserts that refer to the
// row may go on (NO KEY).
func (t *tx) lock(of string) string {
	if t.postgres {
		return " FOR NO KEY UPDATE OF " + of
	}
	return ""
}

func placeholder(n int) string { return "$" + strconv.Itoa(n) }
