package sql

import "github.com/jmoiron/sqlx"

// Raw lets a test count rows and look at the server behind our back.
func (db *DB) Raw() *sqlx.DB { return db.read }

// RawWrite is Raw for a test that spoils something on purpose.
func (db *DB) RawWrite() *sqlx.DB { return db.write }

// Translate is what turns a driver's error into one of the domain.
var Translate = translate
