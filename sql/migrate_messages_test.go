package sql_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// SQLite makes messages and consents anew: every row is there afterwards, in
// the state that it is in by the new words, and the guards are new ones.
func TestMigrateKeepsMessages(t *testing.T) {
	migrates := func(t *testing.T, o sql.Options) {
		db := openAt(t, o)
		if err := db.MigrateTo(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
		moment := map[bool]string{true: "timestamptz", false: "text"}[db.IsPostgres()]
		for _, query := range old {
			exec(t, db, strings.ReplaceAll(query, "%s", moment))
		}
		// The first message is scheduled; then one in each of the other states.
		for i, state := range []string{"sending", "sent", "failed", "unknown", "cancelled", "suppressed", "sent"} {
			exec(t, db, fmt.Sprintf(`INSERT INTO messages (kind, programme_id, contact_id, visit_id, store_id, promo_code_id, language, body, state, reason,
				gateway, due_at, settled_at, created_at)
			VALUES ('referral', 1, 1, 1, 1, 1, 'ru', 'текст %d', '%s', CASE WHEN '%s' IN ('sending', 'sent') THEN '' ELSE 'why' END,
				'handset', '2025-06-03 08:00:00+00:00', '2025-06-03 08:00:0%d+00:00', '2025-06-02 09:10:00+00:00')`, i, state, state, i))
		}
		exec(t, db, `DELETE FROM messages WHERE id = 8`)
		exec(t, db, `INSERT INTO consent_documents (programme_id, kind, language, version, title, body, hash, published_at)
			VALUES (1, 'communications', 'ru', 1, 'О', 'Т', 'h', '2025-06-02 09:00:00+00:00')`)
		exec(t, db, `INSERT INTO consents (visit_id, contact_id, store_id, staff_id, document_id, hash, given, at, challenge_id)
			VALUES (1, 1, 1, 1, 1, 'h', TRUE, '2025-06-02 09:00:00+00:00', 'c'), (2, NULL, 1, 1, 1, 'h', FALSE, '2025-06-02 09:00:00+00:00', NULL)`)

		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		recount(t, db)
		moments := func(second int, states ...bool) (out [3]*time.Time) {
			for i, set := range states {
				if set {
					out[i] = ptr(time.Date(2025, 6, 3, 8, 0, second, 0, time.UTC))
				}
			}
			return out
		}
		for i, want := range []struct {
			state                        domain.MessageState
			sending, accepted, settledAt bool
		}{
			{domain.MessageSending, true, false, false},
			{domain.MessageAccepted, true, true, false},
			{domain.MessageUndelivered, true, false, true},
			{domain.MessageUnknown, true, false, true},
			{domain.MessageCancelled, false, false, true},
			{domain.MessageSuppressed, false, false, true},
		} {
			got := must(db.Message(t.Context(), int64(i+2)))(t)
			if got.State != want.state || got.Channel != domain.ProgrammeChannel || got.Body != fmt.Sprintf("текст %d", i) || got.ContactID != 1 || got.PromoCodeID != 1 {
				t.Errorf("message %d is %+v, want %s", i+2, got, want.state)
			}
			equal(t, "times of "+string(want.state), [3]*time.Time{got.SendingAt, got.AcceptedAt, got.SettledAt},
				moments(i, want.sending, want.accepted, want.settledAt))
		}
		if got := must(db.Message(t.Context(), 1))(t); got.State != domain.MessageScheduled || got.SendingAt != nil || got.SettledAt != nil {
			t.Errorf("the scheduled message is %+v", got)
		}
		for i, want := range []string{"true c 1", "false - 0"} {
			c := must(db.VisitConsents(t.Context(), int64(i+1)))(t)[0]
			challenge, contact := "-", int64(0)
			if c.ChallengeID != nil {
				challenge, contact = *c.ChallengeID, *c.ContactID
			}
			if got := fmt.Sprint(c.Given, " ", challenge, " ", contact); got != want || c.Source != domain.FromVisit {
				t.Errorf("consent %d is %s from %s, want %s", i+1, got, c.Source, want)
			}
		}
		// What was claimed when the old program was stopped is told as unknown
		// and never sent by the new one.
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			return tx.SweepMessages(ctx, domain.MessageSending, at(48*time.Hour), domain.ReasonInterrupted, at(48*time.Hour))
		})
		if got := must(db.Message(t.Context(), 2))(t); got.State != domain.MessageUnknown || got.Reason != domain.ReasonInterrupted {
			t.Errorf("the claimed message is %+v", got)
		}
		for what, query := range map[string]string{
			"a code with its text":         `INSERT INTO messages (channel, kind, programme_id, language, body, state, reason, gateway, due_at, created_at) VALUES ('code', 'code', 1, 'ru', '1234', 'sending', '', '', '2025-06-03 08:00:00+00:00', '2025-06-03 08:00:00+00:00')`,
			"a programme message of noone": `UPDATE messages SET contact_id = NULL WHERE id = 1`,
			"an unknown one without why":   `UPDATE messages SET reason = '' WHERE id = 5`,
			"an end without a time":        `UPDATE messages SET state = 'delivered' WHERE id = 3`,
			"an old state":                 `UPDATE messages SET state = 'sent' WHERE id = 3`,
			"a yes without an advisor":     `INSERT INTO consents (source, document_id, contact_id, hash, given, at) VALUES ('sms', 1, 1, 'h', TRUE, '2025-06-03 08:00:00+00:00')`,
			"a visit's answer of no visit": `INSERT INTO consents (source, document_id, contact_id, hash, given, at) VALUES ('visit', 1, 1, 'h', FALSE, '2025-06-03 08:00:00+00:00')`,
			"a message of no code":         `UPDATE messages SET promo_code_id = 99 WHERE id = 1`,
		} {
			if _, err := db.RawWrite().ExecContext(t.Context(), query); err == nil {
				t.Errorf("%s is let in", what)
			}
		}
		exec(t, db, `INSERT INTO consents (source, document_id, contact_id, hash, given, at) VALUES ('sms', 1, 1, 'h', FALSE, '2025-06-03 08:00:00+00:00')`)
		exec(t, db, `INSERT INTO messages (channel, kind, programme_id, language, body, state, reason, gateway, due_at, sending_at, created_at)
			VALUES ('code', 'code', 1, 'ru', '', 'sending', '', '', '2025-06-03 08:00:00+00:00', '2025-06-03 08:00:00+00:00', '2025-06-03 08:00:00+00:00')`)
		// PostgreSQL counts those that it has just refused.
		if n := count(t, db, `SELECT max(id) FROM messages`); n < 9 {
			t.Errorf("the next message has the number %d, which was given out before", n)
		}
		if !db.IsPostgres() {
			if n := count(t, db, `SELECT count(*) FROM pragma_foreign_key_check`); n != 0 {
				t.Errorf("%d rows refer to nothing", n)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		sqltest.SkipEmbedded(t)
		migrates(t, options("", filepath.Join(t.TempDir(), "p.db")))
	})
	t.Run("postgres", func(t *testing.T) { migrates(t, options(sqltest.PostgresURL(t), "")) })
}
