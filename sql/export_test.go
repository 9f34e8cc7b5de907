package sql

import (
	"context"
	"io/fs"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
)

// Raw lets a test count rows and look at the server behind our back.
func (db *DB) Raw() *sqlx.DB { return db.read }

// RawWrite is Raw for a test that spoils something on purpose.
func (db *DB) RawWrite() *sqlx.DB { return db.write }

// Translate is what turns a driver's error into one of the domain.
var Translate = translate

// MigrateTo brings an empty database to an old version.
func (db *DB) MigrateTo(ctx context.Context, version int64) error {
	files, err := fs.Sub(migrations, "migrations/"+db.Dialect())
	if err != nil {
		return err
	}
	dialect := goose.DialectSQLite3
	if db.IsPostgres() {
		dialect = goose.DialectPostgres
	}
	p, err := goose.NewProvider(dialect, db.write.DB, files, goose.WithDisableGlobalRegistry(true), goose.WithSlog(db.log))
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}
