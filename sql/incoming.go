package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

const incomingColumns = `i.id, i.gateway, i.gateway_id, i.phone, coalesce(i.contact_id, 0) AS contact_id, coalesce(i.store_id, 0) AS store_id,
	i.body, i.word, i.at, i.seen_at, coalesce(i.seen_by, 0) AS seen_by`

func (q *queries) ContactByPhone(ctx context.Context, phone string) (int64, error) {
	return one[int64](ctx, q, `SELECT id FROM contacts WHERE phone = $1`, phone)
}

func (q *queries) LastVisit(ctx context.Context, contactID int64) (domain.Visit, error) {
	return one[domain.Visit](ctx, q, `SELECT `+visitColumns+visitTables+` WHERE v.contact_id = $1 ORDER BY v.id DESC LIMIT 1`, contactID)
}

func (q *queries) NewestAnswer(ctx context.Context, contactID int64, kind domain.MessageKind) (domain.Message, error) {
	return one[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+`
		WHERE m.contact_id = $1 AND m.channel = 'service' AND m.kind = $2 ORDER BY m.id DESC LIMIT 1`, contactID, kind)
}

func (q *queries) IncomingKnown(ctx context.Context, gateway, gatewayID string) (bool, error) {
	return one[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM incoming_messages WHERE gateway = $1 AND gateway_id = $2)`, gateway, gatewayID)
}

func (q *queries) Incoming(ctx context.Context, id int64) (domain.IncomingMessage, error) {
	return one[domain.IncomingMessage](ctx, q, `SELECT `+incomingColumns+` FROM incoming_messages i WHERE i.id = $1`, id)
}

func (t *tx) AddIncoming(ctx context.Context, m domain.IncomingMessage) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO incoming_messages (gateway, gateway_id, phone, contact_id, store_id, body, word, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (gateway, gateway_id) DO NOTHING`,
		m.Gateway, m.GatewayID, m.Phone, orNull(m.ContactID), orNull(m.StoreID), m.Body, m.Word, m.At)
	return n > 0, err
}

func (t *tx) SeeIncoming(ctx context.Context, id, staffID int64, at time.Time) (bool, error) {
	n, err := t.exec(ctx, `UPDATE incoming_messages SET seen_at = $3, seen_by = $2 WHERE id = $1 AND seen_at IS NULL`, id, staffID, at)
	return n > 0, err
}

func (t *tx) StopIncoming(ctx context.Context, id int64) error {
	return t.execOne(ctx, `UPDATE incoming_messages SET word = 'stop' WHERE id = $1`, id)
}

// IncomingRows reads names and texts as they are and not through coalesce: an
// expression has no declared type, and SQLite's driver would turn a name that
// looks like a date into one.
func (q *queries) IncomingRows(ctx context.Context, f domain.IncomingFilter) ([]domain.IncomingRow, error) {
	where, own, args := `TRUE`, `TRUE`, []any{}
	if !f.AllStores {
		var ids string
		ids, args = in("i.store_id", f.StoreIDs, args)
		where = `(` + ids + ` OR i.store_id IS NULL)`
		own, args = in("v.store_id", f.StoreIDs, args)
	}
	if f.Unseen {
		where += ` AND i.word = '' AND i.seen_at IS NULL AND (i.phone <> '' OR i.body <> '')`
	}
	if f.Before != 0 {
		args = append(args, f.Before)
		where += ` AND i.id < ` + placeholder(len(args))
	}
	if f.Limit <= 0 {
		f.Limit = listed
	}
	args = append(args, f.Limit)
	var rows []struct {
		domain.IncomingRow
		Store, Zone, Reader *string
	}
	err := q.list(ctx, &rows, `SELECT `+incomingColumns+`, s.name AS store, s.time_zone AS zone, a.name AS reader,
			coalesce((SELECT max(v.id) FROM visits v WHERE v.contact_id = i.contact_id AND `+own+`), 0) AS visit_id
		FROM incoming_messages i
		LEFT JOIN stores s ON s.id = i.store_id
		LEFT JOIN staff a ON a.id = i.seen_by
		WHERE `+where+` ORDER BY i.id DESC LIMIT `+placeholder(len(args)), args...)
	out := make([]domain.IncomingRow, 0, len(rows))
	for _, r := range rows {
		r.StoreName, r.StoreTimeZone, r.SeenByName = orEmpty(r.Store), orEmpty(r.Zone), orEmpty(r.Reader)
		out = append(out, r.IncomingRow)
	}
	return out, err
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
