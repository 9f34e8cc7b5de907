// Package sqltest gives tests a real, migrated database each: SQLite always,
// PostgreSQL where TEST_DATABASE_URL is set.
package sqltest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"prilavok/sql"
)

// setupTimeout is how long making one database may take.
const setupTimeout = time.Minute

// An Option changes how a test's database is opened.
type Option func(*sql.Options)

// WithClock sets the clock by which a promo code's hold has run out when it
// is read. Without it the clock stands still long ago and no hold ever runs
// out by being read, whatever clock the test gives the domain.
func WithClock(now func() time.Time) Option { return func(o *sql.Options) { o.Now = now } }

// Each runs f on SQLite and on PostgreSQL, each time on a database of its
// own. PostgreSQL is skipped where it is not at hand, except in CI; see
// Postgres and SkipEmbedded. Since they share nothing, tests that call it run
// side by side.
func Each(t *testing.T, f func(t *testing.T, db *sql.DB), options ...Option) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		SkipEmbedded(t)
		f(t, New(t, options...))
	})
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t, options...)) })
}

// SkipEmbedded skips what a test does on SQLite or the in-process Redis where
// TEST_SERVERS_ONLY says that another run does that: CI's second half need not
// repeat its first, and under the race detector the translated SQLite takes
// ten times as long.
func SkipEmbedded(t testing.TB) {
	t.Helper()
	if os.Getenv("TEST_SERVERS_ONLY") != "" {
		t.Skip("TEST_SERVERS_ONLY is set: the embedded variant runs elsewhere")
	}
}

// New gives a migrated SQLite database, gone when the test ends.
func New(t testing.TB, options ...Option) *sql.DB {
	t.Helper()
	file, err := sqliteTemplate()
	if err != nil {
		t.Fatalf("make the SQLite template: %v", err)
	}
	path := filepath.Join(t.TempDir(), "prilavok.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, sql.Options{Path: path}, options)
}

// open opens a database for one test. It is closed before the files and
// databases that were made earlier are removed.
func open(t testing.TB, o sql.Options, options []Option) *sql.DB {
	t.Helper()
	o.Now = longAgo
	for _, set := range options {
		set(&o)
	}
	db, err := sql.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	opened.Store(db, o)
	t.Cleanup(func() {
		opened.Delete(db)
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// opened remembers how each database of a test is reached; see Dump.
var opened sync.Map

func longAgo() time.Time { return time.Unix(0, 0).UTC() }

// sqliteTemplate migrates one file per process; a copy of it costs a
// millisecond, the migrations a good part of a second.
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "prilavok-test-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "template.db")
	if err := migrate(sql.Options{Path: path}); err != nil {
		return nil, err
	}
	// Closing has moved the write-ahead log into the file.
	return os.ReadFile(path)
})

// migrate opens a database, migrates it and closes it again.
func migrate(o sql.Options) error {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	o.Now = longAgo
	db, err := sql.Open(ctx, o)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		_ = db.Close()
		return err
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close the template: %w", err)
	}
	return nil
}
