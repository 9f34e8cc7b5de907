package sqltest

import (
	stdsql "database/sql"
	"fmt"
	"strings"
	"testing"

	"prilavok/sql"
)

// Dump is every value of every table as text, the queue's tables too: for
// tests that look for what must not be in a database.
func Dump(t testing.TB, db *sql.DB) string {
	t.Helper()
	pool, postgres := beside(t, db)
	tables := `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1`
	if postgres {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`
	}
	var out strings.Builder
	for _, table := range rows(t, pool, tables) {
		for _, row := range rows(t, pool, `SELECT * FROM "`+strings.Trim(table, "[]")+`"`) {
			fmt.Fprintln(&out, table, row)
		}
	}
	return out.String()
}

// Exec changes rows past the program: for what it has no verb of its own.
func Exec(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	pool, _ := beside(t, db)
	if _, err := pool.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// Count runs a SELECT count(*) past the program.
func Count(t testing.TB, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	pool, _ := beside(t, db)
	if err := pool.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// beside is a connection of its own to a test's database, closed at its end.
func beside(t testing.TB, db *sql.DB) (pool *stdsql.DB, postgres bool) {
	t.Helper()
	how, _ := opened.Load(db)
	o, ok := how.(sql.Options)
	if !ok {
		t.Fatal("sqltest has not opened this database")
	}
	driver, address := "pgx", o.DatabaseURL
	if address == "" {
		driver, address = "sqlite", "file:"+o.Path+"?_pragma=busy_timeout(5000)&_time_format=sqlite&_timezone=UTC"
	}
	pool, err := stdsql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() }) // nothing is waited for
	return pool, o.DatabaseURL != ""
}

// rows gives each row of a query as one text.
func rows(t testing.TB, pool *stdsql.DB, query string) (out []string) {
	t.Helper()
	found, err := pool.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = found.Close() }()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for found.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := found.Scan(pointers...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if raw, ok := v.([]byte); ok {
				values[i] = string(raw)
			}
		}
		out = append(out, fmt.Sprint(values))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
