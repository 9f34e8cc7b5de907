package sql_test

import (
	"path/filepath"
	"strings"
	"testing"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// Until now every no has counted, and it goes on counting; what customers have
// asked for stays on record, and staff may ask for them.
func TestMigrateKeepsRefusals(t *testing.T) {
	migrates := func(t *testing.T, o sql.Options) {
		db := openAt(t, o)
		if err := db.MigrateTo(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
		moment := map[bool]string{true: "timestamptz", false: "text"}[db.IsPostgres()]
		for _, query := range old {
			exec(t, db, strings.ReplaceAll(query, "%s", moment))
		}
		if err := db.MigrateTo(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		exec(t, db, `INSERT INTO consent_documents (programme_id, kind, language, version, title, body, hash, published_at)
			VALUES (1, 'communications', 'ru', 1, 'О', 'Т', 'h', '2025-06-02 09:00:00+00:00'), (1, 'personal_data', 'ru', 1, 'О', 'Т', 'h', '2025-06-02 09:00:00+00:00')`)
		// The last visit's phone has not answered: its no counted, its yes did not.
		exec(t, db, `UPDATE visits SET verified_at = NULL WHERE id = 2`)
		exec(t, db, `INSERT INTO consents (visit_id, contact_id, store_id, staff_id, document_id, hash, given, at)
			VALUES (2, 1, 1, 1, 1, 'h', FALSE, '2025-06-02 09:00:00+00:00'), (2, 1, 1, 1, 2, 'h', TRUE, '2025-06-02 09:00:00+00:00')`)
		exec(t, db, `INSERT INTO contact_events (contact_id, kind, source, at) VALUES (1, 'asked', 'page', '2025-06-02 09:00:00+00:00'), (1, 'stopped', 'sms', '2025-06-02 09:00:00+00:00')`)
		exec(t, db, `DELETE FROM contact_events WHERE id = 2`)
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "what counts", must(db.ContactConsents(t.Context(), 1))(t), map[domain.ConsentKind]bool{domain.Communications: false})
		equal(t, "kept", len(must(db.ContactEvents(t.Context(), 1))(t)), 1)
		// An instance of before may still hear a STOP, and knows nothing of holds.
		exec(t, db, `INSERT INTO consents (source, document_id, contact_id, hash, given, at) VALUES ('sms', 2, 1, 'h', FALSE, '2025-06-03 08:00:00+00:00')`)
		equal(t, "what an old instance has heard", must(db.ContactConsents(t.Context(), 1))(t),
			map[domain.ConsentKind]bool{domain.Communications: false, domain.PersonalData: false})
		exec(t, db, `INSERT INTO consents (source, document_id, contact_id, hash, given, at) VALUES ('staff', 1, 1, 'h', FALSE, '2025-06-03 08:00:00+00:00')`)
		exec(t, db, `INSERT INTO contact_events (contact_id, kind, source, at) VALUES (1, 'stopped', 'staff', '2025-06-03 08:00:00+00:00')`)
		if n := count(t, db, `SELECT max(id) FROM contact_events`); n != 3 {
			t.Errorf("the next event has the number %d", n)
		}
		for what, query := range map[string]string{
			"a wish from nowhere":    `INSERT INTO contact_events (contact_id, kind, source, at) VALUES (1, 'stopped', 'letter', '2025-06-03 08:00:00+00:00')`,
			"a wish of nobody":       `INSERT INTO contact_events (contact_id, kind, source, at) VALUES (99, 'stopped', 'staff', '2025-06-03 08:00:00+00:00')`,
			"a yes from staff":       `INSERT INTO consents (source, document_id, contact_id, hash, given, at) VALUES ('staff', 1, 1, 'h', TRUE, '2025-06-03 08:00:00+00:00')`,
			"a withdrawal of nobody": `INSERT INTO withdrawals (request_id, contact_id, staff_id, reason, at) VALUES ('r', 1, 99, 'why', '2025-06-03 08:00:00+00:00')`,
		} {
			if _, err := db.RawWrite().ExecContext(t.Context(), query); err == nil {
				t.Errorf("%s is let in", what)
			}
		}
		if !db.IsPostgres() {
			if n := count(t, db, `SELECT count(*) FROM pragma_foreign_key_check`); n != 0 {
				t.Errorf("%d rows refer to nothing", n)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { migrates(t, options("", filepath.Join(t.TempDir(), "p.db"))) })
	t.Run("postgres", func(t *testing.T) { migrates(t, options(sqltest.PostgresURL(t), "")) })
}
