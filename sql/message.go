package sql

import (
	"context"
	"encoding/json"
	"time"

	"prilavok/domain"
)

const (
	messageColumns = `m.id, m.channel, m.kind, m.programme_id, coalesce(m.contact_id, 0) AS contact_id, coalesce(c.phone, '') AS phone,
		coalesce(m.visit_id, 0) AS visit_id, coalesce(m.store_id, 0) AS store_id, coalesce(m.promo_code_id, 0) AS promo_code_id,
		m.challenge_id, m.language, m.template_version, m.body, m.parts, m.price, m.state, m.reason, m.gateway, m.gateway_id, m.attempts,
		m.due_at, m.sending_at, m.accepted_at, m.settled_at, m.created_at`
	messageTables = ` FROM messages m LEFT JOIN contacts c ON c.id = m.contact_id`
)

func (q *queries) Message(ctx context.Context, id int64) (domain.Message, error) {
	return one[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+` WHERE m.id = $1`, id)
}

func (q *queries) VisitMessages(ctx context.Context, visitID int64) ([]domain.Message, error) {
	return many[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+` WHERE m.visit_id = $1 ORDER BY m.id`, visitID)
}

func (q *queries) NewestCodeMessage(ctx context.Context, visitID, contactID int64) (domain.Message, error) {
	return one[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+`
		WHERE m.visit_id = $1 AND m.contact_id = $2 AND m.channel = 'code' ORDER BY m.id DESC LIMIT 1`, visitID, contactID)
}

func (q *queries) RecentMessages(ctx context.Context, limit int) ([]domain.Message, error) {
	return many[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+` WHERE m.channel <> 'code' AND m.contact_id IS NOT NULL ORDER BY m.id DESC LIMIT $1`, limit)
}

func (q *queries) MessageDue(ctx context.Context, id int64) (domain.MessageDue, error) {
	return one[domain.MessageDue](ctx, q, `SELECT m.id, coalesce(m.contact_id, 0) AS contact_id, m.channel, m.state, m.due_at,
			coalesce(s.time_zone, '') AS time_zone
		FROM messages m LEFT JOIN stores s ON s.id = m.store_id WHERE m.id = $1`, id)
}

// factsRow is MessageFacts as its columns hold it: the gift's title is JSON in
// text.
type factsRow struct {
	domain.MessageFacts
	GiftJSON string
}

// MessageFacts asks for everything at once: a hundred thousand due messages
// pay for each round trip.
func (q *queries) MessageFacts(ctx context.Context, id int64) (domain.MessageFacts, error) {
	now := q.now()
	row, err := one[factsRow](ctx, q, `SELECT `+messageColumns+`,
			g.brand, g.gift_title AS gift_json, g.active AND g.discounts_on AS programme_on, coalesce(s.time_zone, '') AS time_zone,
			coalesce(p.code, '') AS "about.code", coalesce(p.state, '') AS "about.state",
			coalesce(p.discount_percent, 0) AS "about.discount.percent", coalesce(p.discount_kopecks, 0) AS "about.discount.kopecks",
			coalesce(p.max_uses, 0) AS "about.max_uses", coalesce(p.used - `+promoRunOut+`, 0) AS "about.used",
			p.expires_at AS "about.expires_at",
			`+newestAnswer("personal_data")+` AS personal_data, `+newestAnswer("communications")+` AS communications,
			c.verified_at, c.erased_at, coalesce(c.page_token, '') AS page_token,
			coalesce((SELECT gi.state FROM gifts gi WHERE gi.promo_code_id = m.promo_code_id), '') AS gift,
			(SELECT count(*) FROM messages w WHERE w.contact_id = m.contact_id AND w.channel = 'programme' AND w.id <> m.id
				AND w.sending_at > $3 AND w.state IN ('sending', 'accepted', 'delivered', 'unknown')) AS last_week,
			coalesce(t.version, 0) AS newest_version, coalesce(t.body, '') AS template
		FROM messages m
		JOIN programmes g ON g.id = m.programme_id
		LEFT JOIN contacts c ON c.id = m.contact_id
		LEFT JOIN stores s ON s.id = m.store_id
		LEFT JOIN promo_codes p ON p.id = m.promo_code_id
		LEFT JOIN message_templates t ON t.programme_id = m.programme_id AND t.kind = m.kind AND t.language = m.language
			AND t.version = (SELECT max(n.version) FROM message_templates n
				WHERE n.programme_id = m.programme_id AND n.kind = m.kind AND n.language = m.language)
		WHERE m.id = $2`, now, id, now.Add(-7*24*time.Hour))
	if err != nil {
		return domain.MessageFacts{}, err
	}
	return row.MessageFacts, json.Unmarshal([]byte(row.GiftJSON), &row.GiftTitle)
}

// newestAnswer is ContactConsents for one kind of document, of the message's
// contact.
func newestAnswer(kind domain.ConsentKind) string {
	return `coalesce((SELECT a.given FROM consents a JOIN consent_documents d ON d.id = a.document_id LEFT JOIN visits v ON v.id = a.visit_id
		WHERE a.contact_id = m.contact_id AND d.kind = '` + string(kind) + `' AND ` + consentCounts("a", "v") + `
		ORDER BY a.id DESC LIMIT 1), FALSE)`
}

func (t *tx) AddMessage(ctx context.Context, m domain.Message) (int64, error) {
	return one[int64](ctx, &t.queries, `INSERT INTO messages (channel, kind, programme_id, contact_id, visit_id, store_id, promo_code_id,
			challenge_id, language, template_version, body, parts, price, state, reason, gateway, gateway_id, attempts,
			due_at, sending_at, accepted_at, settled_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) RETURNING id`,
		m.Channel, m.Kind, m.ProgrammeID, orNull(m.ContactID), orNull(m.VisitID), orNull(m.StoreID), orNull(m.PromoCodeID),
		m.ChallengeID, m.Language, m.TemplateVersion, m.Body, m.Parts, m.Price, m.State, m.Reason, m.Gateway, m.GatewayID, m.Attempts,
		m.DueAt, m.SendingAt, m.AcceptedAt, m.SettledAt, m.CreatedAt)
}

func (t *tx) ClaimMessage(ctx context.Context, m domain.Message) (bool, error) {
	n, err := t.exec(ctx, `UPDATE messages SET state = $2, reason = $3, body = $4, template_version = $5, parts = $6, sending_at = $7, settled_at = $8
		WHERE id = $1 AND state = 'scheduled'`, m.ID, m.State, m.Reason, m.Body, m.TemplateVersion, m.Parts, m.SendingAt, m.SettledAt)
	return n > 0, err
}

// gatewayName is what becomes of the gateway's own name for a text, which may
// be made of the phone: nothing where nobody is behind the message, or where
// they were erased while it was on its way, which has emptied its text.
const gatewayName = `CASE WHEN contact_id IS NULL OR (channel <> 'code' AND body = '') THEN ''`

// RecordSending leaves the state alone where a report came before the answer
// that it is about, unless it was that of a gateway that had not taken the
// message: this answer names the one that has. What a sweep has taken for
// interrupted was only slow.
func (t *tx) RecordSending(ctx context.Context, m domain.Message) error {
	n, err := t.exec(ctx, `UPDATE messages SET state = $2, reason = $3, gateway = $4, gateway_id = `+gatewayName+` ELSE $5 END, price = $6, attempts = $7,
			sending_at = $8, accepted_at = $9, settled_at = $10
		WHERE id = $1 AND (state = 'sending' OR state = 'unknown' AND reason = 'interrupted'
			OR $2 IN ('accepted', 'delivered', 'unknown') AND gateway NOT IN ('', $4) AND state <> 'delivered')`,
		m.ID, m.State, m.Reason, m.Gateway, m.GatewayID, m.Price, m.Attempts, m.SendingAt, m.AcceptedAt, m.SettledAt)
	if err != nil || n > 0 {
		return err
	}
	_, err = t.exec(ctx, `UPDATE messages SET price = CASE WHEN CAST($2 AS BIGINT) > 0 THEN $2 ELSE price END,
			gateway_id = `+gatewayName+` WHEN gateway_id = '' THEN $3 ELSE gateway_id END
		WHERE id = $1`, m.ID, m.Price, m.GatewayID)
	return err
}

// LockMessage reads the message once it is locked: PostgreSQL would answer whoever
// had to wait with the phone that the contact had before the wait, and it may
// have been erased meanwhile.
func (t *tx) LockMessage(ctx context.Context, id int64) (domain.Message, error) {
	if t.postgres {
		if err := t.get(ctx, new(int64), `SELECT m.id FROM messages m WHERE m.id = $1`+t.lock("m"), id); err != nil {
			return domain.Message{}, err
		}
	}
	return t.Message(ctx, id)
}

func (q *queries) MessageByGatewayID(ctx context.Context, gateway, gatewayID string) (int64, error) {
	return one[int64](ctx, q, `SELECT id FROM messages WHERE gateway = $1 AND gateway_id = $2 AND gateway_id <> ''
		ORDER BY id DESC LIMIT 1`, gateway, gatewayID)
}

func (t *tx) SaveDelivery(ctx context.Context, m domain.Message) error {
	return t.execOne(ctx, `UPDATE messages SET state = $2, reason = $3, gateway = $4, gateway_id = $5,
			sending_at = $6, accepted_at = $7, settled_at = $8, price = $9 WHERE id = $1`,
		m.ID, m.State, m.Reason, m.Gateway, m.GatewayID, m.SendingAt, m.AcceptedAt, m.SettledAt, m.Price)
}

func (t *tx) AddDeliveryReport(ctx context.Context, r domain.DeliveryRow) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO delivery_reports (message_id, gateway, report_key, state, status, detail, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		r.MessageID, r.Gateway, r.ReportKey, r.State, r.Status, r.Detail, r.At)
	return n > 0, err
}

func (q *queries) DeliveryReports(ctx context.Context, messageID int64) ([]domain.DeliveryRow, error) {
	return many[domain.DeliveryRow](ctx, q, `SELECT message_id, gateway, report_key, state, status, detail, at
		FROM delivery_reports WHERE message_id = $1 ORDER BY id`, messageID)
}

func (q *queries) GatewayTallies(ctx context.Context, since time.Time) ([]domain.GatewayTally, error) {
	return many[domain.GatewayTally](ctx, q, `SELECT gateway, state, count(*) AS messages,
			CAST(sum(parts) AS BIGINT) AS parts, CAST(sum(price) AS BIGINT) AS price
		FROM messages WHERE sending_at >= $1 AND state IN ('accepted', 'delivered', 'undelivered', 'unknown')
		GROUP BY gateway, state ORDER BY gateway, state`, since)
}

func (t *tx) SweepMessages(ctx context.Context, state domain.MessageState, before time.Time, reason string, at time.Time) error {
	_, err := t.exec(ctx, `UPDATE messages SET state = 'unknown', reason = $3, settled_at = $4
		WHERE state = $1 AND coalesce(accepted_at, sending_at) < $2`, state, before, reason, at)
	return err
}

// DrawPageToken leaves a token that is there: the links of earlier messages
// stay good.
func (t *tx) DrawPageToken(ctx context.Context, contactID int64, token string) error {
	_, err := t.exec(ctx, `UPDATE contacts SET page_token = $2 WHERE id = $1 AND page_token = '' AND erased_at IS NULL`, contactID, token)
	return err
}

// Told counts a message whose fate nobody knows: the SMS may well have come.
func (q *queries) Told(ctx context.Context, promoCodeID int64, kind domain.MessageKind) (bool, error) {
	return one[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM messages WHERE promo_code_id = $1 AND kind = $2
		AND state IN ('scheduled', 'sending', 'accepted', 'delivered', 'unknown'))`, promoCodeID, kind)
}

func (t *tx) CancelMessages(ctx context.Context, programmeID, contactID int64, kind domain.MessageKind, reason string, at time.Time) ([]domain.Message, error) {
	return t.cancelMessages(ctx, reason, at, `m.contact_id = $1 AND m.kind = $2 AND m.programme_id = $3`, contactID, kind, programmeID)
}

func (t *tx) CancelVisitMessages(ctx context.Context, visitID, contactID int64, reason string, at time.Time) ([]domain.Message, error) {
	return t.cancelMessages(ctx, reason, at, `m.visit_id = $1 AND m.contact_id = $2`, visitID, contactID)
}

func (t *tx) CancelContactMessages(ctx context.Context, contactID int64, reason string, at time.Time) ([]domain.Message, error) {
	return t.cancelMessages(ctx, reason, at, `m.contact_id = $1 AND m.channel = 'programme'`, contactID)
}

func (t *tx) CancelCodeMessages(ctx context.Context, promoCodeID int64, kind domain.MessageKind, reason string, at time.Time) error {
	_, err := t.cancelMessages(ctx, reason, at, `m.promo_code_id = $1 AND m.kind = $2`, promoCodeID, kind)
	return err
}

// cancelMessages locks the messages before it changes them, so that what it
// returns is exactly what it cancelled. A programme message that was claimed
// meanwhile is on its way and stays; the reason on it says that it shall go no
// further where it comes back.
func (t *tx) cancelMessages(ctx context.Context, reason string, at time.Time, which string, args ...any) ([]domain.Message, error) {
	var found []domain.Message
	err := t.list(ctx, &found, `SELECT `+messageColumns+messageTables+`
		WHERE `+which+` AND (m.state = 'scheduled' OR m.state = 'sending' AND m.channel = 'programme') ORDER BY m.id`+t.lock("m"), args...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var out []domain.Message
	ids := make([]int64, len(found))
	for i, m := range found {
		ids[i] = m.ID
		if m.State == domain.MessageScheduled {
			out = append(out, m)
		}
	}
	where, args := in("id", ids, []any{reason, at})
	_, err = t.exec(ctx, `UPDATE messages SET reason = $1, state = CASE state WHEN 'scheduled' THEN 'cancelled' ELSE state END,
		settled_at = CASE state WHEN 'scheduled' THEN $2 ELSE settled_at END WHERE `+where, args...)
	return out, err
}
