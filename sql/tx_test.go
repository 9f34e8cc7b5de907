package sql_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func TestInTx(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		visits := func() int { return count(t, db, `SELECT count(*) FROM visits`) }
		add := func(ctx context.Context, tx domain.Tx) error {
			_, _, err := tx.AddVisit(ctx, newVisit(s))
			return err
		}

		do(t, db, add)
		if visits() != 1 {
			t.Error("a transaction that returned nil was not committed")
		}

		broken := errors.New("broken")
		err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			return errors.Join(add(ctx, tx), broken)
		})
		if !errors.Is(err, broken) || visits() != 1 {
			t.Errorf("after an error: %v, %d visits", err, visits())
		}

		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic was swallowed")
				}
			}()
			_ = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				_ = add(ctx, tx)
				panic("boom")
			})
		}()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_ = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				_ = add(ctx, tx)
				runtime.Goexit() // what t.FailNow does
				return nil
			})
		}()
		<-gone
		// The next transaction also shows that the connection came back.
		do(t, db, add)
		if visits() != 2 {
			t.Errorf("%d visits after a panic", visits())
		}
	})
}

// What would hang or read beside the transaction is refused at once.
func TestInTxInside(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		var escaped domain.Tx
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			escaped = tx
			called := false
			err := db.InTx(ctx, func(context.Context, domain.Tx) error { called = true; return nil })
			if err == nil || called || !strings.Contains(err.Error(), "InTx is called inside InTx") {
				t.Errorf("nested: %v, called: %t", err, called)
			}
			if _, err := db.StaffCount(ctx); err == nil || !strings.Contains(err.Error(), "use the Tx") {
				t.Errorf("read of the Database: %v", err)
			}
			_, err = tx.StaffCount(ctx)
			return err
		})
		if _, err := escaped.StaffCount(t.Context()); err == nil {
			t.Error("a Tx works after its transaction")
		}
		if err := escaped.Enqueue(t.Context(), testJob{}, at(0)); err == nil {
			t.Error("a Tx enqueues after its transaction")
		}
	})
}

func TestErrors(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)

		_, err := db.Visit(t.Context(), 1<<40)
		isKind(t, err, domain.NotFound)
		var e *domain.Error
		if !errors.As(err, &e) || e.Message.Key != "error.not_found" || !errors.Is(err, stdsql.ErrNoRows) {
			t.Errorf("no row: %#v", err)
		}

		err = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			_, err := tx.AddStaff(ctx, s.Supervisor)
			return err
		})
		isKind(t, err, domain.Conflict)
		var pg *pgconn.PgError
		var lite *sqlite.Error
		if errors.As(err, &pg) != db.IsPostgres() || errors.As(err, &lite) == db.IsPostgres() {
			t.Errorf("the driver's error is lost: %#v", err)
		}

		// A primary key is a unique constraint too.
		err = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			twice := s.Supervisor
			twice.Login, twice.Stores = "twice", []domain.Store{s.Moscow, s.Moscow}
			_, err := tx.AddStaff(ctx, twice)
			return err
		})
		isKind(t, err, domain.Conflict)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = db.StaffCount(ctx)
		if !errors.Is(err, context.Canceled) || domain.KindOf(err) != domain.Internal {
			t.Errorf("cancelled read: %v of kind %d", err, domain.KindOf(err))
		}
		err = db.InTx(ctx, func(context.Context, domain.Tx) error { t.Error("f was called"); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled transaction: %v", err)
		}
		ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		_, err = db.StaffCount(ctx)
		isKind(t, err, domain.Unavailable)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("late read: %v", err)
		}

		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err = db.StaffCount(t.Context()); err == nil {
			t.Error("a closed database answers")
		}
	})
}

// Once f is done, a browser that hangs up does not undo the sale; before, it
// does.
func TestInTxCancelled(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
			_, _, err := tx.AddVisit(ctx, newVisit(s))
			cancel()
			return err
		})
		if n := count(t, db, `SELECT count(*) FROM visits`); err != nil || n != 1 {
			t.Errorf("cancelled at the end: %v, %d visits", err, n)
		}
		ctx, cancel = context.WithCancel(t.Context())
		err = db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
			if _, _, err := tx.AddVisit(ctx, newVisit(s)); err != nil {
				return err
			}
			cancel()
			_, err := tx.StaffCount(ctx)
			return err
		})
		if n := count(t, db, `SELECT count(*) FROM visits`); !errors.Is(err, context.Canceled) || n != 1 {
			t.Errorf("cancelled half way: %v, %d visits", err, n)
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error { _, err := tx.StaffCount(ctx); return err })
	})
}

// Another program that keeps SQLite's write lock makes us unavailable, and
// not for ever.
func TestSQLiteBusy(t *testing.T) {
	sqltest.SkipEmbedded(t)
	path := filepath.Join(t.TempDir(), "p.db")
	db, other := openAt(t, options("", path)), openAt(t, options("", path))
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, other, func(context.Context, domain.Tx) error {
		err := db.InTx(t.Context(), func(context.Context, domain.Tx) error { return nil })
		isKind(t, err, domain.Unavailable)
		return nil
	})
	do(t, db, func(context.Context, domain.Tx) error { return nil })
}

// Two transactions that lock two visits in opposite order: PostgreSQL gives
// one up, it runs again, and the caller never knows.
func TestDeadlockIsRetried(t *testing.T) {
	db := sqltest.Postgres(t)
	s := sqltest.Fixture(t, db)
	ids := []int64{addVisit(t, db, newVisit(s)), addVisit(t, db, newVisit(s))}
	var runs, inside atomic.Int32
	both := make(chan struct{})
	errs := make([]error, 2)
	together(2, func(i int) {
		errs[i] = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			runs.Add(1)
			if _, err := tx.LockVisit(ctx, ids[i]); err != nil {
				return err
			}
			if inside.Add(1) == 2 {
				close(both)
			}
			<-both
			_, err := tx.LockVisit(ctx, ids[1-i])
			return err
		})
	})
	// The one that was given up may be back before the other one has gone on, and
	// be given up once more.
	if errs[0] != nil || errs[1] != nil || runs.Load() < 3 {
		t.Errorf("errors %v, f ran %d times, want 3 or more", errs, runs.Load())
	}
}

// What never succeeds is tried four times and is then Unavailable.
func TestRetriesEnd(t *testing.T) {
	db := sqltest.Postgres(t)
	for code, want := range map[string]int{"40001": 4, "40P01": 4, "55P03": 1} {
		runs := 0
		err := db.InTx(t.Context(), func(ctx context.Context, _ domain.Tx) error {
			runs++
			return sql.Translate(ctx, &pgconn.PgError{Code: code})
		})
		isKind(t, err, domain.Unavailable)
		if runs != want {
			t.Errorf("%s: f ran %d times, want %d", code, runs, want)
		}
	}
}

func TestServerGone(t *testing.T) {
	db := sqltest.Postgres(t)
	err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
		// Somebody restarts the server under us.
		count(t, db, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		_, err := tx.StaffCount(ctx)
		return err
	})
	isKind(t, err, domain.Unavailable)
	do(t, db, func(ctx context.Context, tx domain.Tx) error { _, err := tx.StaffCount(ctx); return err })
}

// One transaction is judged by one set of rules, whatever is changed beside
// it; the next one knows the change.
func TestRulesStayInATransaction(t *testing.T) {
	db := sqltest.Postgres(t)
	s := sqltest.Fixture(t, db)
	read := func(ctx context.Context, tx domain.Tx) string {
		p := must(tx.Programme(ctx, s.Programme.ID))(t)
		return p.Brand + ", " + must(tx.Store(ctx, s.Moscow.ID))(t).Name
	}
	do(t, db, func(ctx context.Context, tx domain.Tx) error {
		before := read(ctx, tx)
		for _, query := range []string{`UPDATE programmes SET brand = 'new'`, `UPDATE stores SET name = 'new'`} {
			if _, err := db.Raw().ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		if after := read(ctx, tx); after != before {
			t.Errorf("%q, and then %q", before, after)
		}
		_, err := tx.Store(ctx, 1<<40)
		isKind(t, err, domain.NotFound)
		return nil
	})
	do(t, db, func(ctx context.Context, tx domain.Tx) error {
		if got := read(ctx, tx); got != "new, new" {
			t.Errorf("the next one reads %q", got)
		}
		return nil
	})
}
