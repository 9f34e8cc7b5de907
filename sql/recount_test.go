package sql_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// stopped is a STOP of the first visit's customer, programmeMessage the start
// of a message to them, without state, sending_at and settled_at.
const (
	stopped = `INSERT INTO consents (source, contact_id, document_id, hash, given, at)
		SELECT 'sms', v.contact_id, d.id, d.hash, false, '2025-12-01' FROM visits v, consent_documents d
		WHERE v.id = 1 AND d.kind = 'communications' AND d.language = 'ru'; `
	unstopped        = `DELETE FROM messages; DELETE FROM consents`
	programmeMessage = `INSERT INTO messages (channel, kind, programme_id, contact_id, visit_id, store_id, promo_code_id, language, body, reason, gateway,
			due_at, created_at, state, sending_at, settled_at)
		SELECT 'programme', 'referral', v.programme_id, v.contact_id, v.id, v.store_id, p.id, 'ru', '', '', '', v.started_at, v.started_at, `
)

// Damage that is planted past every guard is found and named, and a sound
// database is called sound.
func TestRecountFindsDamage(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		code := addReferral(t, db, s, phone(1), "0000000001")
		var friends []domain.Visit
		for i := range 3 {
			friends = append(friends, addVisitFor(t, db, s, phone(10+i)))
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for _, v := range friends[:2] {
				id, _, err := tx.Hold(ctx, hold(code, v, at(0)))
				if err != nil {
					return err
				}
				if _, err := tx.Confirm(ctx, id, at(time.Minute)); err != nil {
					return err
				}
				end := at(time.Minute)
				v.Outcome, v.EndedAt, v.ProductID, v.Price, v.Discount = domain.Purchase, &end, &s.Products[1].ID, 199050, 29857
				if err := tx.SaveVisit(ctx, v); err != nil {
					return err
				}
			}
			_, _, err := tx.Hold(ctx, hold(code, friends[2], at(0)))
			return err
		})
		sound := func() string {
			t.Helper()
			var lines []string
			for _, d := range must(db.Recount(t.Context()))(t) {
				lines = append(lines, d.String())
			}
			return strings.Join(lines, "\n")
		}
		if got := sound(); got != "" {
			t.Fatalf("a sound database differs:\n%s", got)
		}
		for _, c := range []struct{ damage, mend, want string }{
			{`UPDATE promo_codes SET used = 2`, `UPDATE promo_codes SET used = 3`, "uses of a promo code, promo code 1: stored 2, counted 3"},
			{`UPDATE visits SET discount = 29858 WHERE id = 2`, `UPDATE visits SET discount = 29857 WHERE id = 2`, "discount of a purchase, visit 2: stored 29858, counted 29857"},
			{`UPDATE visits SET price = 5 WHERE id = 1`, `UPDATE visits SET price = 0 WHERE id = 1`, "sum of a visit without a purchase, visit 1: stored 5, counted 0"},
			{`UPDATE visits SET verified_at = started_at WHERE id = 1`, `UPDATE visits SET verified_at = NULL WHERE id = 1`, "verified phone, visit 1"},
			{`UPDATE redemptions SET state = 'confirmed', settled_at = held_at WHERE visit_id = 4`,
				`UPDATE redemptions SET state = 'held', settled_at = NULL WHERE visit_id = 4`, "redemption of a visit that is not like it, redemption 3: stored confirmed, counted open"},
			{`INSERT INTO gifts (programme_id, owner_id, promo_code_id, state, earned_at) SELECT programme_id, owner_id, id, 'earned', created_at FROM promo_codes`,
				`DELETE FROM gifts`, "friends of a gift, promo code 1: stored earned, counted 2"},
			{`UPDATE promo_codes SET owner_id = (SELECT friend_id FROM redemptions WHERE id = 1)`,
				`UPDATE promo_codes SET owner_id = (SELECT id FROM contacts WHERE phone = '` + phone(1) + `')`, "ring of referrals"},
			// A purchase that was taken back, and what it leaves.
			{`UPDATE redemptions SET state = 'voided', voided_at = held_at WHERE id = 1`,
				`UPDATE redemptions SET state = 'confirmed', voided_at = NULL WHERE id = 1`, "uses of a promo code, promo code 1: stored 3, counted 2"},
			{`UPDATE redemptions SET state = 'voided', voided_at = held_at, use_kept = true WHERE id = 1`,
				`UPDATE redemptions SET state = 'confirmed', voided_at = NULL, use_kept = false WHERE id = 1`, "redemption of a visit that is not like it, redemption 1: stored voided, counted purchase"},
			{`UPDATE visits SET voided_at = ended_at, voided_by = advisor_id, void_reason = 'returned' WHERE id = 2`,
				`UPDATE visits SET voided_at = NULL, voided_by = NULL, void_reason = '' WHERE id = 2`, "redemption of a visit that is not like it, redemption 1: stored confirmed, counted voided"},
			{`UPDATE promo_codes SET source_visit_id = 2; UPDATE visits SET voided_at = ended_at, voided_by = advisor_id, void_reason = 'returned' WHERE id = 2`,
				`UPDATE promo_codes SET source_visit_id = 1; UPDATE visits SET voided_at = NULL, voided_by = NULL, void_reason = '' WHERE id = 2`, "code of a voided purchase, promo code 1: stored active, counted void"},
			// Two have bought: a gift for two is owed, one that was revoked is missing.
			{`UPDATE programmes SET gift_friends = 2`, `UPDATE programmes SET gift_friends = 3`, "friends of a gift, promo code 1: stored none, counted 2"},
			{`UPDATE programmes SET gift_friends = 2; INSERT INTO gifts (programme_id, owner_id, promo_code_id, state, earned_at, revoked_at) SELECT programme_id, owner_id, id, 'revoked', created_at, created_at FROM promo_codes`,
				`UPDATE programmes SET gift_friends = 3; DELETE FROM gifts`, "friends of a gift, promo code 1: stored revoked, counted 2"},
			{`INSERT INTO gifts (programme_id, owner_id, promo_code_id, state, earned_at, revoked_at) SELECT p.programme_id, r.friend_id, p.id, 'revoked', p.created_at, p.created_at FROM promo_codes p JOIN redemptions r ON r.id = 1`,
				`DELETE FROM gifts`, "owner of a gift, gift"},
			// A customer who wants no more messages, and one that leaves all the same.
			{stopped + programmeMessage + `'scheduled', NULL, NULL FROM visits v JOIN promo_codes p ON p.owner_id = v.contact_id WHERE v.id = 1`, unstopped,
				"scheduled message of a customer who has stopped all, message 1: stored scheduled, counted cancelled"},
			{stopped + programmeMessage + `'delivered', '2026-01-01', '2026-01-01' FROM visits v JOIN promo_codes p ON p.owner_id = v.contact_id WHERE v.id = 1`, unstopped,
				"message that left after its customer had stopped all, message "},
			{`INSERT INTO consents (visit_id, contact_id, store_id, staff_id, document_id, hash, given, at)
				SELECT v.id, v.contact_id, v.store_id, v.advisor_id, d.id, d.hash, true, v.started_at FROM visits v, consent_documents d
				WHERE v.id = 1 AND d.kind = 'communications' AND d.language = 'ru';
			UPDATE visits SET verified_at = started_at WHERE id = 1;
			INSERT INTO incoming_messages (gateway, gateway_id, phone, contact_id, body, word, at)
				SELECT 'kannel', '1', '', contact_id, 'stop', 'stop', '2026-01-01' FROM visits WHERE id = 1`,
				`DELETE FROM consents; DELETE FROM incoming_messages; UPDATE visits SET verified_at = NULL WHERE id = 1`,
				"stop that took nothing back, incoming message 1: stored stop, counted consent stands"},
			{`INSERT INTO consents (visit_id, contact_id, store_id, staff_id, document_id, hash, given, at)
				SELECT v.id, v.contact_id, v.store_id, v.advisor_id, d.id, d.hash, true, v.started_at FROM visits v, consent_documents d
				WHERE v.id = 1 AND d.kind = 'communications' AND d.language = 'ru';
			UPDATE visits SET verified_at = started_at WHERE id = 1;
			INSERT INTO withdrawals (request_id, contact_id, staff_id, reason, at)
				SELECT 'w', contact_id, advisor_id, 'asked', '2026-01-01' FROM visits WHERE id = 1`,
				`DELETE FROM consents; DELETE FROM withdrawals; UPDATE visits SET verified_at = NULL WHERE id = 1`,
				"withdrawal that took nothing back, withdrawal 1: stored withdrawn, counted consent stands"},
		} {
			exec(t, db, c.damage)
			if got := sound(); !strings.Contains(got, c.want) {
				t.Errorf("%s is not found:\n%s", c.damage, got)
			}
			exec(t, db, c.mend)
		}
		if got := sound(); got != "" {
			t.Errorf("after mending:\n%s", got)
		}
	})
}

// exec does past every guard what no Tx would.
func exec(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.RawWrite().ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
