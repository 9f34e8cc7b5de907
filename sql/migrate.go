package sql

import (
	"context"
	stdsql "database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the tables of the program and of River up to date. Any
// number of instances may start at once: one migrates, the others wait for it
// and find nothing left to do.
func (db *DB) Migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	migrate := db.migrateSQLite
	if db.IsPostgres() {
		migrate = db.migratePostgres
	}
	if err := migrate(ctx); err != nil {
		return fmt.Errorf("migrate the %s database: %w", db.Dialect(), err)
	}
	return nil
}

// migrateSQLite holds a file lock, for SQLite has no lock that outlives a
// transaction.
func (db *DB) migrateSQLite(ctx context.Context) (err error) {
	l := flock.New(db.lockFile)
	if _, err := l.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("wait for another instance: %w", err)
	}
	// The file stays: deleting it would let two instances lock two files.
	defer func() { err = errors.Join(err, l.Unlock()) }()
	if err := db.gooseUp(ctx, goose.DialectSQLite3, db.write.DB); err != nil {
		return err
	}
	return riverUp(ctx, riversqlite.New(db.write.DB), db)
}

// migratePostgres holds one advisory lock over both sets of migrations. The
// lock is asked for again and again instead of waited for: a session that
// waits inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY of
// the instance that migrates would wait for it in turn.
func (db *DB) migratePostgres(ctx context.Context) (err error) {
	pool, err := openSmallPool(ctx, db.url, riverConns)
	if err != nil {
		return err
	}
	defer pool.Close()
	std := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, std.Close()) }()

	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, uint64(migrateTimeout.Seconds())))
	if err != nil {
		return err
	}
	conn, err := std.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := locker.SessionLock(ctx, conn); err != nil {
		return fmt.Errorf("wait for another instance: %w", err)
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()
	if err := db.gooseUp(ctx, goose.DialectPostgres, std); err != nil {
		return err
	}
	if err := riverUp(ctx, riverpgxv5.New(pool), db); err != nil {
		return err
	}
	// Versions up to issue 3 made the periodic jobs unique. River keeps them for a
	// day, and so long its query for jobs whose time has come goes through all of
	// them for each; see workerConfig.
	if _, err := std.ExecContext(ctx, `UPDATE river_job SET unique_key = NULL WHERE unique_key IS NOT NULL`); err != nil {
		return fmt.Errorf("make the jobs of an older version like any others: %w", err)
	}
	return nil
}

func (db *DB) gooseUp(ctx context.Context, dialect goose.Dialect, std *stdsql.DB) error {
	files, err := fs.Sub(migrations, "migrations/"+db.Dialect())
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, std, files, goose.WithDisableGlobalRegistry(true), goose.WithSlog(db.log))
	if err != nil {
		return err
	}
	done, err := p.Up(ctx)
	if len(done) > 0 {
		db.log.InfoContext(ctx, "database migrated", "steps", len(done), "version", done[len(done)-1].Source.Version)
	}
	return err
}

// riverUp applies River's own migrations, each in a transaction of its own:
// on PostgreSQL they cannot run in one.
func riverUp[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], db *DB) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: db.log})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}
