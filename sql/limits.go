package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

func (q *queries) CountedRefusals(ctx context.Context, since time.Time) ([]domain.PromoRefusal, error) {
	return many[domain.PromoRefusal](ctx, q, `SELECT `+refusalColumns+` FROM promo_refusals
		WHERE at > $1 AND reason IN ('unknown', 'asked') ORDER BY id`, since)
}

const liftColumns = `id, request_id, attempt_id, limit_name AS name, subject, staff_id, reason, at`

func (q *queries) LimitLifts(ctx context.Context, since time.Time) ([]domain.LimitLift, error) {
	return many[domain.LimitLift](ctx, q, `SELECT `+liftColumns+` FROM limit_lifts WHERE at > $1 ORDER BY id`, since)
}

func (q *queries) RecentLifts(ctx context.Context, storeIDs []int64, all bool, limit int) ([]domain.LiftRecord, error) {
	where, args := `TRUE`, []any{}
	if !all {
		where, args = in("a.store_id", storeIDs, args)
	}
	args = append(args, limit)
	return many[domain.LiftRecord](ctx, q, `SELECT l.id, l.request_id, l.attempt_id, l.limit_name AS name, l.subject, l.staff_id,
			l.reason, l.at, w.name AS staff_name, a.visit_id, s.name AS store_name, s.time_zone
		FROM limit_lifts l
		JOIN code_attempts a ON a.id = l.attempt_id
		JOIN stores s ON s.id = a.store_id
		JOIN staff w ON w.id = l.staff_id
		WHERE `+where+` ORDER BY l.id DESC LIMIT `+placeholder(len(args)), args...)
}

func (t *tx) AddLimitLift(ctx context.Context, l domain.LimitLift) (domain.LimitLift, error) {
	id, ok, err := t.addOnce(ctx, `INSERT INTO limit_lifts (request_id, attempt_id, limit_name, subject, staff_id, reason, at)
		VALUES (:request_id, :attempt_id, :name, :subject, :staff_id, :reason, :at)
		ON CONFLICT (request_id) DO NOTHING RETURNING id`, l)
	if err != nil || ok {
		l.ID = id
		return l, err
	}
	return one[domain.LimitLift](ctx, &t.queries, `SELECT `+liftColumns+` FROM limit_lifts WHERE request_id = $1`, l.RequestID)
}

// metColumns read the phone through the visit, which may have let go of it or
// taken another one: then it is not told.
const (
	metColumns = `a.id AS attempt_id, a.visit_id, a.store_id, s.name AS store_name, s.time_zone, st.name AS advisor_name,
		coalesce(c.phone, '') AS phone, a.phone_key, a.staff_id, a.address_key, a.limit_met AS name, a.at`
	metTables = ` FROM code_attempts a
		JOIN stores s ON s.id = a.store_id
		JOIN staff st ON st.id = a.staff_id
		JOIN visits v ON v.id = a.visit_id
		LEFT JOIN contacts c ON c.id = v.contact_id`
)

// metSubject is whose limit an attempt has met, as domain.MetLimit tells it.
const metSubject = `CASE
	WHEN limit_met IN ('phone_day', 'phone_lock', 'send_phone') THEN phone_key
	WHEN limit_met IN ('send_address', 'self_address', 'self_send_address') THEN address_key
	WHEN limit_met IN ('store', 'self_store') THEN CAST(store_id AS text)
	WHEN limit_met = 'self_page' THEN CAST(visit_id AS text)
	ELSE CAST(staff_id AS text) END`

// MetLimits takes the newest attempt of each limit: who goes on being refused
// must not push the others off the list.
func (q *queries) MetLimits(ctx context.Context, storeIDs []int64, all bool, since time.Time, limit int) ([]domain.MetLimit, error) {
	where, args := `limit_met <> '' AND at > $1`, []any{since}
	if !all {
		var ids string
		ids, args = in("store_id", storeIDs, args)
		where += ` AND ` + ids
	}
	args = append(args, limit)
	return many[domain.MetLimit](ctx, q, `SELECT `+metColumns+metTables+`
		WHERE a.id IN (SELECT max(id) FROM code_attempts WHERE `+where+` GROUP BY limit_met, `+metSubject+`)
		ORDER BY a.id DESC LIMIT `+placeholder(len(args)), args...)
}

func (q *queries) MetLimit(ctx context.Context, attemptID int64) (domain.MetLimit, error) {
	return one[domain.MetLimit](ctx, q, `SELECT `+metColumns+metTables+` WHERE a.id = $1 AND a.limit_met <> ''`, attemptID)
}

func (t *tx) ForgetPhoneKeys(ctx context.Context, before time.Time, limit int) (int, error) {
	if _, err := t.exec(ctx, `UPDATE promo_refusals SET address_key = '' WHERE at < $1 AND address_key <> ''`, before); err != nil {
		return 0, err
	}
	if _, err := t.exec(ctx, `UPDATE limit_lifts SET subject = CASE WHEN subject LIKE 'phone:%' THEN 'phone:' ELSE 'address:' END
		WHERE at < $1 AND (subject LIKE 'phone:_%' OR subject LIKE 'address:_%')`, before); err != nil {
		return 0, err
	}
	n, err := t.exec(ctx, `UPDATE code_attempts SET phone_key = '', address_key = '' WHERE id IN (
		SELECT id FROM code_attempts WHERE at < $1 AND phone_key <> '' ORDER BY id LIMIT $2)`, before, limit)
	return int(n), err
}
