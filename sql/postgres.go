package sql

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

// Connections per instance. PostgreSQL allows 100 by default, so four
// instances fit beside a person with psql.
const (
	pageConns  = 16
	riverConns = 4 // one of them listens
)

// openPostgres makes the pool of the pages, or one of the given size at most. A statement that hangs is cut by
// the server too: it would hold its locks after we stopped waiting.
func (db *DB) openPostgres(conns int32) error {
	c, err := poolConfig(db.url)
	if err != nil {
		return err
	}
	if conns > 0 {
		c.MaxConns = min(c.MaxConns, conns)
	}
	setParam(c, "statement_timeout", queryTimeout)
	setParam(c, "lock_timeout", lockTimeout)
	setParam(c, "idle_in_transaction_session_timeout", txTimeout)
	pool := stdlib.OpenDB(*c.ConnConfig, stdlib.OptionAfterConnect(timesInUTC))
	pool.SetMaxOpenConns(int(c.MaxConns))
	pool.SetMaxIdleConns(int(c.MaxConns))
	pool.SetConnMaxIdleTime(5 * time.Minute)
	// A proxy or a failover may leave a connection at the wrong end.
	pool.SetConnMaxLifetime(30 * time.Minute)
	db.read = sqlx.NewDb(pool, "pgx")
	db.write = db.read
	return nil
}

// poolConfig reads the URL. What stands in it wins over our defaults.
func poolConfig(databaseURL string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		// The driver's own words may repeat a password that it could not
		// recognise as one.
		return nil, errors.New("the database URL is not one of PostgreSQL")
	}
	if !strings.Contains(databaseURL, "pool_max_conns") {
		c.MaxConns = pageConns
	}
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = connectTimeout
	}
	params := c.ConnConfig.RuntimeParams
	params["timezone"] = "UTC"
	if params["application_name"] == "" {
		params["application_name"] = "prilavok"
	}
	c.AfterConnect = timesInUTC
	return c, nil
}

// setParam sets a timeout of the session unless the URL has set it.
func setParam(c *pgxpool.Config, name string, d time.Duration) {
	if params := c.ConnConfig.RuntimeParams; params[name] == "" {
		params[name] = strconv.FormatInt(d.Milliseconds(), 10)
	}
}

// openSmallPool makes a pool without statement timeouts: for River, which
// sets its own deadlines, and for migrations, which may take long.
func openSmallPool(ctx context.Context, databaseURL string, conns int32) (*pgxpool.Pool, error) {
	c, err := poolConfig(databaseURL)
	if err != nil {
		return nil, err
	}
	c.MaxConns = conns
	c.MinConns, c.MinIdleConns = 0, 0
	return pgxpool.NewWithConfig(ctx, c)
}

// timesInUTC makes the driver give times in UTC; its default is the zone of
// the machine, and SQLite would answer differently.
func timesInUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}
