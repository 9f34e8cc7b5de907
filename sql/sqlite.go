package sql

import (
	stdsql "database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/jmoiron/sqlx"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteReaders is how many reads run side by side; they never wait for the
// writer nor for each other.
const sqliteReaders = 8

// openSQLite opens the file twice. Writers share one connection whose
// transactions begin with the write lock: they queue in Go, in order, and
// never meet SQLITE_BUSY half way. Readers see the last commit meanwhile.
func (db *DB) openSQLite(path string) error {
	if path == "" {
		return errors.New("sql: neither Options.DatabaseURL nor Options.Path is set")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := keepPrivate(path, db.log); err != nil {
		return err
	}
	db.lockFile = path + ".lock"

	write, err := stdsql.Open("sqlite", sqliteDSN(path, url.Values{
		"_txlock": {"immediate"},
		// FULL waits for the disk at every commit. NORMAL would be quicker,
		// but after a power cut the last sales of a store could be gone,
		// although their customers had walked away with the goods.
		// secure_delete overwrites what is erased: a consent that was taken
		// back leaves no phone in a free page of the file.
		"_pragma": {"journal_mode(wal)", "synchronous(full)", "secure_delete(1)"},
	}))
	if err != nil {
		return err
	}
	write.SetMaxOpenConns(1)
	read, err := stdsql.Open("sqlite", sqliteDSN(path, url.Values{"_pragma": {"query_only(1)"}}))
	if err != nil {
		return errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(sqliteReaders)
	read.SetMaxIdleConns(sqliteReaders)

	// sqlx does not know this driver's name; $1 serves both engines.
	sqlx.BindDriver("sqlite", sqlx.DOLLAR)
	db.write, db.read = sqlx.NewDb(write, "sqlite"), sqlx.NewDb(read, "sqlite")
	return nil
}

func sqliteDSN(path string, v url.Values) string {
	v["_pragma"] = append([]string{
		"busy_timeout(" + strconv.FormatInt(lockTimeout.Milliseconds(), 10) + ")",
		"foreign_keys(1)",
	}, v["_pragma"]...)
	v.Set("_time_format", "sqlite")
	v.Set("_timezone", "UTC")
	// RETURNING and expressions have no declared type; their times would
	// arrive as text otherwise.
	v.Set("_texttotime", "1")
	// The path is escaped, so that a directory may hold a question mark.
	u := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + u.EscapedPath() + "?" + v.Encode()
}
