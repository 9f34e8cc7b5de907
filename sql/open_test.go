package sql_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3/lock"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func options(url, path string) sql.Options {
	return sql.Options{DatabaseURL: url, Path: path, Now: func() time.Time { return sqltest.Start }}
}

func openAt(t testing.TB, o sql.Options) *sql.DB {
	t.Helper()
	db, err := sql.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Several instances that start at once all find a migrated database.
func TestMigrateAtOnce(t *testing.T) {
	race := func(t *testing.T, o sql.Options) {
		dbs := []*sql.DB{openAt(t, o), openAt(t, o), openAt(t, o)}
		errs := make([]error, len(dbs))
		together(len(dbs), func(i int) { errs[i] = dbs[i].Migrate(t.Context()) })
		for i, err := range errs {
			if err != nil {
				t.Errorf("instance %d: %v", i, err)
			}
			if n := count(t, dbs[i], `SELECT count(*) FROM staff`) + count(t, dbs[i], `SELECT count(*) FROM river_job`); n != 0 {
				t.Errorf("instance %d sees %d rows", i, n)
			}
		}
		if err := dbs[0].Migrate(t.Context()); err != nil {
			t.Errorf("a second time: %v", err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		sqltest.SkipEmbedded(t)
		race(t, options("", filepath.Join(t.TempDir(), "p.db")))
	})
	t.Run("postgres", func(t *testing.T) { race(t, options(sqltest.PostgresURL(t), "")) })
}

// An instance waits for the one that migrates, and changes nothing meanwhile.
func TestMigrateWaits(t *testing.T) {
	waits := func(t *testing.T, db *sql.DB, unlock func() error) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := db.Migrate(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another instance migrates: %v", err)
		}
		if db.Raw().QueryRowContext(t.Context(), `SELECT count(*) FROM staff`).Scan(new(int)) == nil {
			t.Error("migrated all the same")
		}
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		count(t, db, `SELECT count(*) FROM staff`)
	}
	t.Run("sqlite", func(t *testing.T) {
		sqltest.SkipEmbedded(t)
		path := filepath.Join(t.TempDir(), "p.db")
		other := flock.New(path + ".lock")
		if ok, err := other.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		waits(t, openAt(t, options("", path)), other.Unlock)
	})
	t.Run("postgres", func(t *testing.T) {
		db := openAt(t, options(sqltest.PostgresURL(t), ""))
		other, err := db.Raw().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Close() }()
		if _, err := other.ExecContext(t.Context(), `SELECT pg_advisory_lock($1)`, lock.DefaultLockID); err != nil {
			t.Fatal(err)
		}
		waits(t, db, func() error {
			_, err := other.ExecContext(t.Context(), `SELECT pg_advisory_unlock($1)`, lock.DefaultLockID)
			return err
		})
	})
}

// Both folders of migrations make the same tables, columns and indexes, with
// the same columns allowed to be NULL.
func TestSchemasAgree(t *testing.T) {
	lite, pg := sqltest.New(t), sqltest.Postgres(t)
	names := func(db *sql.DB, query string) (out []string) {
		if err := db.Raw().SelectContext(t.Context(), &out, query); err != nil {
			t.Fatal(err)
		}
		slices.Sort(out)
		return out
	}
	foreign := ` NOT LIKE 'river%' AND %s NOT LIKE 'goose%' AND %s NOT LIKE 'sqlite%'`
	ours := func(column string) string { return column + strings.ReplaceAll(foreign, "%s", column) }
	columns := names(lite, `SELECT m.name || '.' || c.name || CASE WHEN c."notnull" OR c.pk THEN '' ELSE ' null' END
		FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND `+ours("m.name"))
	equal(t, "columns", names(pg, `SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '' ELSE ' null' END
		FROM information_schema.columns WHERE table_schema = 'public' AND `+ours("table_name")), columns)
	if len(columns) < 100 {
		t.Errorf("only %d columns are compared", len(columns))
	}
	indexes := names(lite, `SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND `+ours("tbl_name"))
	equal(t, "indexes", names(pg, `SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND `+ours("tablename")+
		` AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key'`), indexes)
	if len(indexes) < 20 {
		t.Errorf("only %d indexes are compared", len(indexes))
	}
}

func TestOpen(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if want := map[bool]string{true: "postgres", false: "sqlite"}[db.IsPostgres()]; db.Dialect() != want {
			t.Errorf("dialect %q, want %q", db.Dialect(), want)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if db.Ping(t.Context()) == nil {
			t.Error("a closed database answers")
		}
	})
}

func TestOpenSQLite(t *testing.T) {
	// Signs that mean something in a URI must not in a path.
	dir := filepath.Join(t.TempDir(), "a b?c=d#e%20f")
	path := filepath.Join(dir, "p.db")
	db := openAt(t, options("", path))
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if err := db.RawWrite().Get(&got, "PRAGMA "+pragma); err != nil || got != want {
			t.Errorf("write pool: %s = %q, %v, want %q", pragma, got, err, want)
		}
	}
	if _, err := db.Raw().ExecContext(t.Context(), `DELETE FROM staff`); err == nil {
		t.Error("the read pool can write")
	}
}

func TestOpenPostgres(t *testing.T) {
	db := sqltest.Postgres(t)
	for setting, want := range map[string]string{
		"timezone": "UTC", "statement_timeout": "10s", "lock_timeout": "5s",
		"idle_in_transaction_session_timeout": "20s", "application_name": "prilavok",
	} {
		var got string
		if err := db.Raw().Get(&got, "SHOW "+setting); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", setting, got, err, want)
		}
	}
	if got := db.Raw().Stats().MaxOpenConnections; got != 16 {
		t.Errorf("%d connections", got)
	}
	capped := openAt(t, options(sqltest.PostgresURL(t)+"&pool_max_conns=3", ""))
	if got := capped.Raw().Stats().MaxOpenConnections; got != 3 {
		t.Errorf("%d connections with pool_max_conns=3", got)
	}
}

// What cannot be opened is told in time, and without the password.
func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]sql.Options{
		"no clock":           {Path: filepath.Join(t.TempDir(), "p.db")},
		"nothing":            options("", ""),
		"directory is file":  options("", filepath.Join(file, "p.db")),
		"file is directory":  options("", t.TempDir()),
		"malformed":          options("postgres://me:hunter2 :@[::1/x", ""),
		"malformed port":     options("postgres://me:hunter2@localhost:port/x", ""),
		"nobody listens":     options("postgres://me:hunter2@127.0.0.1:1/x?connect_timeout=2", ""),
		"unknown ssl":        options("postgres://me:hunter2@127.0.0.1:1/x?sslmode=maybe", ""),
		"pool that is none":  options("postgres://me:hunter2@127.0.0.1:1/x?pool_max_conns=hunter2", ""),
		"password parameter": options("postgres://127.0.0.1:1/x?user=me&password=hunter2", ""),
	} {
		// Longer than any patience of Open's own: only what hangs comes to it.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		db, err := sql.Open(ctx, o)
		hung := ctx.Err() != nil
		cancel()
		if err == nil {
			_ = db.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
		if hung {
			t.Errorf("%s: Open gives up only with its caller", name)
		}
	}
}

// A machine in another zone and a session that was told another one still
// read the same times.
func TestTimesAreUTC(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		local := time.FixedZone("local", 5*3600)
		for _, want := range []time.Time{
			at(0), at(0).Truncate(time.Second), at(0).Truncate(time.Second).Add(500 * time.Millisecond),
			at(0).Truncate(time.Second).Add(time.Microsecond), at(0).In(local),
		} {
			v := newVisit(s)
			v.StartedAt = want
			id := addVisit(t, db, v)
			got := must(db.Visit(t.Context(), id))(t).StartedAt
			if !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("wrote %s, read %s", want, got)
			}
		}
	})
}

// Times compare in SQL as they do in Go, whatever their fractions are.
func TestTimesCompare(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		second := sqltest.Start
		fractions := []int{0, 1, 10, 100_000, 100_001, 120_000, 500_000, 999_999, 1_000_000}
		v := newVisit(s)
		for i, f := range fractions {
			v.ID, v.RequestID, v.TouchedAt = 0, "fraction-"+phone(i), second.Add(time.Duration(f)*time.Microsecond)
			addVisit(t, db, v)
		}
		for i, f := range fractions {
			ids := must(db.StaleVisits(t.Context(), second.Add(time.Duration(f)*time.Microsecond), 100))(t)
			if len(ids) != i {
				t.Errorf("%d visits are older than the fraction %d µs, want %d", len(ids), f, i)
			}
		}
	})
}

var _ domain.Database = (*sql.DB)(nil)
