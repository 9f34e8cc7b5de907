package sql

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"prilavok/domain"
)

// PostgreSQL's error codes that mean something to us, from its manual,
// appendix A.
const (
	pgUniqueViolation      = "23505"
	pgSerializationFailure = "40001"
	pgDeadlock             = "40P01"
)

// pgUnavailable are codes, or the two characters of a class, after which the
// same request may succeed a little later.
var pgUnavailable = []string{
	"08",    // connection exceptions
	"53",    // out of connections, memory or disk
	"57P",   // the server is going down or coming up
	"57014", // statement_timeout
	"55P03", // lock_timeout
	"25P03", // idle_in_transaction_session_timeout
	"25006", // read only: a failover has left us at the old end
	"58",    // the server's own system failed
	"40",    // serialisation failures and deadlocks that were not outlived
}

// translate turns a driver's error into a *domain.Error where the domain
// makes a difference. Everything else is wrapped and counts as Internal. What
// stands underneath stays reachable by errors.Is and errors.As.
func translate(ctx context.Context, err error) error {
	var known *domain.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	// Drivers have many words for a statement that was cut off by its context.
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	switch {
	case errors.Is(err, stdsql.ErrNoRows):
		return &domain.Error{Kind: domain.NotFound, Message: domain.Say("error.not_found"), Err: err}
	case uniqueViolation(err):
		return &domain.Error{Kind: domain.Conflict, Err: err}
	case !errors.Is(err, context.Canceled) && unavailable(err):
		return &domain.Error{Kind: domain.Unavailable, Message: domain.Say("error.unavailable"), Err: err}
	}
	return fmt.Errorf("sql: %w", err)
}

func uniqueViolation(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == pgUniqueViolation
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) &&
		(lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

func unavailable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return slices.ContainsFunc(pgUnavailable, func(c string) bool { return strings.HasPrefix(pg.Code, c) })
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff { // the primary code; the rest is detail
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
			sqlite3.SQLITE_IOERR, sqlite3.SQLITE_INTERRUPT:
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// retryable tells whether PostgreSQL gave up a transaction that may well
// succeed when it is run again.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == pgSerializationFailure || pg.Code == pgDeadlock)
}
