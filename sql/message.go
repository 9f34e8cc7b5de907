package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

const (
	messageColumns = `m.id, m.kind, m.programme_id, m.contact_id, c.phone, m.visit_id, m.store_id,
		coalesce(m.promo_code_id, 0) AS promo_code_id, m.language, m.body, m.state, m.reason, m.gateway,
		m.due_at, m.settled_at, m.created_at`
	messageTables = ` FROM messages m JOIN contacts c ON c.id = m.contact_id`
)

func (q *queries) Message(ctx context.Context, id int64) (domain.Message, error) {
	return one[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+` WHERE m.id = $1`, id)
}

func (q *queries) VisitMessages(ctx context.Context, visitID int64) ([]domain.Message, error) {
	return many[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+` WHERE m.visit_id = $1 ORDER BY m.id`, visitID)
}

func (q *queries) RecentMessages(ctx context.Context, limit int) ([]domain.Message, error) {
	return many[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+` ORDER BY m.id DESC LIMIT $1`, limit)
}

func (t *tx) AddMessage(ctx context.Context, m domain.Message) (int64, error) {
	return one[int64](ctx, &t.queries, `INSERT INTO messages (kind, programme_id, contact_id, visit_id, store_id, promo_code_id,
			language, body, state, reason, gateway, due_at, settled_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id`,
		m.Kind, m.ProgrammeID, m.ContactID, m.VisitID, m.StoreID, orNull(m.PromoCodeID),
		m.Language, m.Body, m.State, m.Reason, m.Gateway, m.DueAt, m.SettledAt, m.CreatedAt)
}

// ClaimMessage notes the time of the claim as the settling time, until
// SettleMessage writes the real one: after a crash it tells since when a
// message hangs.
func (t *tx) ClaimMessage(ctx context.Context, id int64, at time.Time) (bool, error) {
	n, err := t.exec(ctx, `UPDATE messages SET state = 'sending', settled_at = $2 WHERE id = $1 AND state = 'scheduled'`, id, at)
	return n > 0, err
}

func (t *tx) SettleMessage(ctx context.Context, m domain.Message) error {
	return t.execOne(ctx, `UPDATE messages SET state = $2, reason = $3, body = $4, gateway = $5, due_at = $6, settled_at = $7
		WHERE id = $1`, m.ID, m.State, m.Reason, m.Body, m.Gateway, m.DueAt, m.SettledAt)
}

// Told counts a message whose answer was ambiguous: the SMS may well have come.
func (q *queries) Told(ctx context.Context, promoCodeID int64, kind domain.MessageKind) (bool, error) {
	return one[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM messages WHERE promo_code_id = $1 AND kind = $2
		AND state IN ('scheduled', 'sending', 'sent', 'unknown'))`, promoCodeID, kind)
}

func (t *tx) CancelMessages(ctx context.Context, programmeID, contactID int64, kind domain.MessageKind, reason string, at time.Time) ([]domain.Message, error) {
	return t.cancelMessages(ctx, reason, at, `m.contact_id = $1 AND m.kind = $2 AND m.programme_id = $3`, contactID, kind, programmeID)
}

func (t *tx) CancelVisitMessages(ctx context.Context, visitID, contactID int64, reason string, at time.Time) ([]domain.Message, error) {
	return t.cancelMessages(ctx, reason, at, `m.visit_id = $1 AND m.contact_id = $2`, visitID, contactID)
}

func (t *tx) CancelCodeMessages(ctx context.Context, promoCodeID int64, kind domain.MessageKind, reason string, at time.Time) error {
	_, err := t.cancelMessages(ctx, reason, at, `m.promo_code_id = $1 AND m.kind = $2`, promoCodeID, kind)
	return err
}

// cancelMessages locks the messages before it changes them, so that what it
// returns is exactly what it cancelled: a message that was claimed meanwhile
// is on its way and stays.
func (t *tx) cancelMessages(ctx context.Context, reason string, at time.Time, which string, args ...any) ([]domain.Message, error) {
	var out []domain.Message
	err := t.list(ctx, &out, `SELECT `+messageColumns+messageTables+`
		WHERE `+which+` AND m.state = 'scheduled' ORDER BY m.id`+t.lock("m"), args...)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	ids := make([]int64, len(out))
	for i, m := range out {
		ids[i] = m.ID
	}
	where, args := in("id", ids, []any{reason, at})
	_, err = t.exec(ctx, `UPDATE messages SET state = 'cancelled', reason = $1, settled_at = $2 WHERE `+where, args...)
	return out, err
}
