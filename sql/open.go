// Package sql keeps everything lasting: it implements domain.Database on
// SQLite and on PostgreSQL with one text for both wherever they allow it. It
// holds no rules and no permissions; what it promises stands in
// domain/database.go.
package sql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jmoiron/sqlx"
	"github.com/jmoiron/sqlx/reflectx"

	"prilavok/domain"
)

// Limits of time, so that nothing waits for ever on a database.
const (
	connectTimeout = 5 * time.Second
	pingTimeout    = 2 * time.Second
	queryTimeout   = 10 * time.Second // of one statement
	lockTimeout    = 5 * time.Second  // of one row lock on PostgreSQL, of the write lock on SQLite
	txTimeout      = 20 * time.Second // of one transaction, waiting for a connection included
	migrateTimeout = 5 * time.Minute
)

// Options say which database to open.
type Options struct {
	// DatabaseURL is a PostgreSQL address; empty means SQLite. pool_max_conns
	// in it caps the connections of the pages; River takes a few of its own.
	DatabaseURL string
	// Conns caps the connections to PostgreSQL where the address doesn't; 0 is
	// what pages need.
	Conns int32
	// Path is the SQLite file. It and its directory are made where they are
	// missing, and kept readable by their owner only; see keepPrivate.
	Path string
	// Now is the clock by which a hold has run out when promo codes are read;
	// see promo.go. It is required.
	Now func() time.Time
	// Logger gets what an operator may want to know; nil is silence.
	Logger *slog.Logger
}

// DB is an open database. It is safe for concurrent use; Close ends it.
type DB struct {
	queries
	// write runs transactions, read everything else. On PostgreSQL they are
	// the same pool; on SQLite write has one connection and read may not
	// write.
	write, read *sqlx.DB
	lockFile    string // SQLite: held while migrating
	url         string // PostgreSQL
	insert      inserter
	log         *slog.Logger

	mu         sync.Mutex
	riverPools []*pgxpool.Pool // PostgreSQL: one per NewRiver, closed with the rest
}

var _ domain.Database = (*DB)(nil)

// Open connects to a database and makes sure that it answers. It changes
// nothing in it; see Migrate. No error holds the password of the URL.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		return nil, errors.New("sql: Options.Now is missing")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db := &DB{log: o.Logger, url: o.DatabaseURL}
	var err error
	if o.DatabaseURL == "" {
		err = db.openSQLite(o.Path)
	} else {
		err = db.openPostgres(o.Conns)
	}
	if err != nil {
		return nil, err
	}
	db.read.Mapper, db.write.Mapper = columns, columns
	db.queries = queries{run: db.read, now: o.Now, postgres: db.IsPostgres(), outside: db}
	if db.insert, err = newInserter(db.IsPostgres(), o.Logger); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
		defer cancel()
		// The write pool goes first: on SQLite it makes the file.
		err = errors.Join(db.write.PingContext(ctx), db.read.PingContext(ctx))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s database: %w", db.Dialect(), err), db.Close())
	}
	return db, nil
}

// IsPostgres tells whether the database is PostgreSQL; otherwise it is SQLite.
func (db *DB) IsPostgres() bool { return db.url != "" }

// Dialect is "postgres" or "sqlite", for logs and the folder of migrations.
func (db *DB) Dialect() string {
	if db.IsPostgres() {
		return "postgres"
	}
	return "sqlite"
}

// Ping tells within two seconds whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var one int
	return translate(ctx, db.read.GetContext(ctx, &one, "SELECT 1"))
}

// Close closes every connection. Clients made by NewRiver must be stopped
// before.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, p := range db.riverPools {
		p.Close()
	}
	err := db.read.Close()
	if db.write != db.read {
		err = errors.Join(err, db.write.Close())
	}
	return err
}

// columns maps a field of a domain type to its column: ProgrammeID is
// programme_id. A field of a nested struct is written with a dot:
// "discount.percent".
var columns = reflectx.NewMapperFunc("db", func(field string) string {
	var b strings.Builder
	var last rune
	for _, r := range field {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
		last = r
	}
	return b.String()
})
