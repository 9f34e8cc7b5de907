package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"prilavok/domain"
)

// RiverClient is River's client without the type of its transactions, which
// differs by engine.
type RiverClient interface {
	// Start begins to work; jobs end when ctx does, so give it one that
	// outlives the stop signal.
	Start(ctx context.Context) error
	// Stop fetches no more and waits for the running jobs.
	Stop(ctx context.Context) error
	// StopAndCancel cancels the running jobs too.
	StopAndCancel(ctx context.Context) error
	// Stopped is closed once a stop is complete.
	Stopped() <-chan struct{}
	// Subscribe tells of jobs that ended; call the function to end it.
	Subscribe(kinds ...river.EventKind) (<-chan *river.Event, func())
}

// NewRiver makes the client that works the queue. Stop it before Close.
//
// On PostgreSQL it gets a few connections of its own, so that neither a flood
// of jobs nor one of pages can starve the other, and one of them can listen.
//
// On SQLite it shares the write pool. A second connection would compete for
// the file's write lock by sleeping and trying again, which is neither fair
// nor certain to end before busy_timeout; waiting for the one connection in
// Go is a queue in order, and River cannot meet SQLITE_BUSY. The price is
// that River's poll, some microseconds every 50 ms, stands in that queue too,
// and that a job must not call the Database while it holds a transaction of
// its own, which the Tx makes impossible anyway.
func (db *DB) NewRiver(cfg *river.Config) (RiverClient, error) {
	if !db.IsPostgres() {
		return river.NewClient(riversqlite.New(db.write.DB), cfg)
	}
	pool, err := openSmallPool(context.Background(), db.url, riverConns)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), cfg)
	if err != nil {
		pool.Close()
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.riverPools = append(db.riverPools, pool)
	return client, nil
}

// Enqueue adds a job to the transaction. A domain job needs only Kind, which
// is all that River asks of one; Queue names another queue than
// the default, Priority (1 is first, 4 last) its place there.
func (t *tx) Enqueue(ctx context.Context, job domain.Job, at time.Time) error {
	return t.do(ctx, func(ctx context.Context) error {
		opts := river.InsertOpts{ScheduledAt: at}
		if q, ok := job.(interface{ Queue() string }); ok {
			opts.Queue = q.Queue()
		}
		if p, ok := job.(interface{ Priority() int }); ok {
			opts.Priority = p.Priority()
		}
		if err := t.insert(ctx, t, job, &opts); err != nil {
			return fmt.Errorf("enqueue %s: %w", job.Kind(), err)
		}
		return nil
	})
}

// inserter adds a job to an open transaction.
type inserter func(ctx context.Context, t *tx, job river.JobArgs, opts *river.InsertOpts) error

// newInserter makes River's insert-only client: it has no pool, no queues and
// no workers, and writes through whatever transaction it is given.
func newInserter(postgres bool, log *slog.Logger) (inserter, error) {
	cfg := &river.Config{Logger: log}
	if postgres {
		client, err := river.NewClient(riverpgxv5.New(nil), cfg)
		return func(ctx context.Context, t *tx, job river.JobArgs, opts *river.InsertOpts) error {
			return t.conn.Raw(func(c any) error {
				std, ok := c.(*stdlib.Conn)
				if !ok {
					return fmt.Errorf("sql: the connection is a %T and not one of pgx", c)
				}
				_, err := client.InsertTx(ctx, pgxTx{std.Conn()}, job, opts)
				return err
			})
		}, err
	}
	client, err := river.NewClient(riversqlite.New((*stdsql.DB)(nil)), cfg)
	return func(ctx context.Context, t *tx, job river.JobArgs, opts *river.InsertOpts) error {
		_, err := client.InsertTx(ctx, t.tx.Tx, job, opts)
		return err
	}, err
}

// pgxTx shows River the transaction that database/sql has begun on a pgx
// connection. Statements go to the connection and thereby into that
// transaction; beginning and ending it stays with InTx.
type pgxTx struct{ *conn }

// conn renames the connection: pgx.Tx has a method Conn, which the name of an
// embedded *pgx.Conn would hide.
type conn = pgx.Conn

var _ pgx.Tx = pgxTx{}

var errNotOurs = errors.New("sql: the transaction is begun and ended by InTx only")

// Begin refuses: the Begin of the connection, which would be promoted
// otherwise, starts no savepoint.
func (pgxTx) Begin(context.Context) (pgx.Tx, error) { return nil, errNotOurs }

// Commit refuses; see InTx.
func (pgxTx) Commit(context.Context) error { return errNotOurs }

// Rollback refuses; see InTx.
func (pgxTx) Rollback(context.Context) error { return errNotOurs }

// LargeObjects is part of pgx.Tx; nobody asks for it here.
func (pgxTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Conn is the connection itself.
func (t pgxTx) Conn() *pgx.Conn { return t.conn }
