package sqltest

import (
	"context"
	"crypto/rand"
	stdsql "database/sql"
	"encoding/binary"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"prilavok/sql"
)

// Postgres gives a migrated PostgreSQL database, dropped when the test ends.
// Without TEST_DATABASE_URL the test is skipped; in CI it fails then, unless
// TEST_EMBEDDED_ONLY says that the run is meant to do without.
func Postgres(t testing.TB, options ...Option) *sql.DB {
	t.Helper()
	s := server(t)
	template, err := s.template()
	if err != nil {
		t.Fatalf("make the PostgreSQL template: %v", err)
	}
	return open(t, sql.Options{DatabaseURL: s.create(t, template)}, options)
}

// PostgresURL gives the address of a fresh PostgreSQL database without a
// table in it, dropped when the test ends. It is skipped like Postgres.
func PostgresURL(t testing.TB) string {
	t.Helper()
	return server(t).create(t, "template0")
}

func server(t testing.TB) *pgServer {
	t.Helper()
	if os.Getenv("TEST_DATABASE_URL") == "" {
		if os.Getenv("CI") != "" && os.Getenv("TEST_EMBEDDED_ONLY") == "" {
			t.Fatal("TEST_DATABASE_URL is not set in CI")
		}
		t.Skip("TEST_DATABASE_URL is not set")
	}
	s, err := theServer()
	if err != nil {
		t.Fatalf("TEST_DATABASE_URL: %v", err)
	}
	return s
}

// pgServer makes databases through one connection, which lives as long as the
// process and marks its databases as being in use.
type pgServer struct {
	url      url.URL
	admin    *stdsql.Conn
	prefix   string // of the names of this process's databases
	last     atomic.Int64
	template func() (string, error)
}

var theServer = sync.OnceValues(func() (*pgServer, error) {
	u, err := url.Parse(os.Getenv("TEST_DATABASE_URL"))
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("not an address") // the parser's error would repeat it
	}
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	pool, err := stdsql.Open("pgx", u.String())
	if err != nil {
		return nil, err
	}
	s := &pgServer{url: *u}
	if s.admin, err = pool.Conn(ctx); err != nil {
		return nil, err
	}
	s.template = sync.OnceValues(s.makeTemplate)
	return s, s.begin(ctx)
})

// begin names the databases of this process and drops what dead processes
// left behind. A process holds an advisory lock on its number as long as it
// lives; such locks are kept per database, so the names hold the one that
// TEST_DATABASE_URL points at.
func (s *pgServer) begin(ctx context.Context) error {
	var admin int64
	err := s.admin.QueryRowContext(ctx, `SELECT oid::bigint FROM pg_database WHERE datname = current_database()`).Scan(&admin)
	if err != nil {
		return err
	}
	family := fmt.Sprintf("prilavok_test_%d_", admin)
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails; see its documentation
	number := binary.BigEndian.Uint32(random[:])
	s.prefix = fmt.Sprintf("%s%d_", family, number)
	if _, err := s.lock(ctx, number); err != nil {
		return err
	}
	names, err := s.databases(ctx, family)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, _, _ := strings.Cut(strings.TrimPrefix(name, family), "_")
		dead, err := strconv.ParseUint(text, 10, 32)
		if err != nil || strings.HasPrefix(name, s.prefix) {
			continue
		}
		if ok, err := s.lock(ctx, uint32(dead)); err != nil || !ok {
			continue // alive, or being swept by somebody else
		}
		if _, err := s.admin.ExecContext(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			return err
		}
		if _, err := s.admin.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, lockID(uint32(dead))); err != nil {
			return err
		}
	}
	return nil
}

func (s *pgServer) lock(ctx context.Context, number uint32) (ok bool, err error) {
	err = s.admin.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, lockID(number)).Scan(&ok)
	return ok, err
}

// lockID keeps our locks away from those of others: the upper half says
// "pril".
func lockID(number uint32) int64 { return 0x7072696c<<32 | int64(number) }

func (s *pgServer) databases(ctx context.Context, prefix string) (names []string, err error) {
	rows, err := s.admin.QueryContext(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, prefix)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// makeTemplate migrates one database per process. It stays until another
// process finds this one gone.
func (s *pgServer) makeTemplate() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	name := s.prefix + "template"
	if _, err := s.admin.ExecContext(ctx, `CREATE DATABASE `+name+` TEMPLATE template0`); err != nil {
		return "", err
	}
	return name, migrate(sql.Options{DatabaseURL: s.at(name)})
}

// create makes a database for one test and gives its address.
func (s *pgServer) create(t testing.TB, template string) string {
	t.Helper()
	name := s.prefix + strconv.FormatInt(s.last.Add(1), 10)
	run := func(statement string) {
		t.Helper()
		// Not the test's context: that one has ended when databases are dropped.
		ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
		defer cancel()
		if _, err := s.admin.ExecContext(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run(`CREATE DATABASE ` + name + ` TEMPLATE ` + template)
	t.Cleanup(func() { run(`DROP DATABASE IF EXISTS ` + name + ` WITH (FORCE)`) })
	return s.at(name)
}

func (s *pgServer) at(database string) string {
	u := s.url
	u.Path = "/" + database
	return u.String()
}
