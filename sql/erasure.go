package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

func (q *queries) ContactVisits(ctx context.Context, contactID int64) ([]int64, error) {
	return many[int64](ctx, q, `SELECT id FROM visits WHERE contact_id = $1 ORDER BY id`, contactID)
}

func (q *queries) ContactCodes(ctx context.Context, ownerID int64) ([]domain.PromoCode, error) {
	return many[domain.PromoCode](ctx, q, `SELECT `+promoColumns+promoTables+` WHERE p.owner_id = $2 ORDER BY p.id DESC`, q.now(), ownerID)
}

// EraseContact names every column that may hold who somebody is. A test looks
// through all of them for what was erased.
func (t *tx) EraseContact(ctx context.Context, c domain.Contact, phoneKey, phone string, at time.Time) error {
	for _, s := range []struct {
		query string
		args  []any
	}{
		{`UPDATE redemptions SET friend_phone = $2 WHERE friend_id = $1 AND friend_phone IS NOT NULL`, []any{c.ID, phone}},
		{`DELETE FROM answers WHERE visit_id IN (SELECT id FROM visits WHERE contact_id = $1)`, []any{c.ID}},
		{`UPDATE visits SET customer_name = '', self_token = '' WHERE contact_id = $1`, []any{c.ID}},
		// Some gateways make their name for a message of the phone. All of them are
		// written, so that a report that is being saved comes first: what it
		// brings goes too.
		{`UPDATE messages SET body = '', gateway_id = '' WHERE contact_id = $1`, []any{c.ID}},
		{`UPDATE delivery_reports SET detail = '', report_key = 'erased ' || id
			WHERE message_id IN (SELECT id FROM messages WHERE contact_id = $1)`, []any{c.ID}},
		{`UPDATE incoming_messages SET body = '', phone = '' WHERE contact_id = $1 OR phone = $2`, []any{c.ID, c.Phone}},
		{`UPDATE visits SET void_reason = '—' WHERE contact_id = $1 AND void_reason <> ''`, []any{c.ID}},
		// Of an extension the last day stays, which stands before the reason.
		{`UPDATE promo_events SET detail = CASE WHEN kind <> 'extended' THEN '—'
				WHEN detail LIKE 'never %' THEN 'never —' ELSE substr(detail, 1, 10) || ' —' END
			WHERE detail <> '' AND promo_code_id IN (SELECT id FROM promo_codes WHERE owner_id = $1)`, []any{c.ID}},
		{`UPDATE limit_lifts SET reason = '—' WHERE attempt_id IN (
			SELECT l.attempt_id FROM limit_lifts l JOIN code_attempts a ON a.id = l.attempt_id JOIN visits v ON v.id = a.visit_id
			WHERE v.contact_id = $1 OR (a.phone_key = $2 AND a.phone_key <> ''))`, []any{c.ID, phoneKey}},
		{`UPDATE withdrawals SET reason = '—' WHERE contact_id = $1`, []any{c.ID}},
		{`UPDATE contacts SET phone = $2, name = '', page_token = '', erased_at = $3 WHERE id = $1`, []any{c.ID, phone, at}},
	} {
		if _, err := t.exec(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}
