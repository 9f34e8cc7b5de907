package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

// visitColumns need the joins of visitTables. The phone is read through the
// contact: it is kept once.
const (
	visitColumns = `v.id, v.programme_id, v.store_id, v.advisor_id, v.request_id, v.language, v.day,
		v.started_at, v.touched_at, v.ended_at, v.age, v.consents_at, v.personal_data, v.communications,
		v.contact_id, coalesce(c.phone, '') AS phone, v.customer_name, v.verified_at, v.code_skipped, v.promo_passed,
		v.code_deferred, v.self_token, v.link, v.outcome, v.product_id, v.price, v.discount, v.voided_at, v.voided_by, v.void_reason`
	visitTables = ` FROM visits v LEFT JOIN contacts c ON c.id = v.contact_id`
)

// listed is how many visits a list gives where the filter does not say.
const listed = 50

func (q *queries) Visit(ctx context.Context, id int64) (domain.Visit, error) {
	return one[domain.Visit](ctx, q, `SELECT `+visitColumns+visitTables+` WHERE v.id = $1`, id)
}

// VisitByToken repeats the condition of the index, without which SQLite would
// not use it.
func (q *queries) VisitByToken(ctx context.Context, token string) (domain.Visit, error) {
	return one[domain.Visit](ctx, q, `SELECT `+visitColumns+visitTables+` WHERE v.self_token = $1 AND v.self_token <> ''`, token)
}

// LockVisit gives the visit as it is once it is locked. A PostgreSQL
// transaction that had to wait is answered with the visit as it is now, beside
// the contact that it had before the wait. That is seen by the contact's id,
// and only then is it read again: the phone of a contact changes once, when it
// is erased, and then it is out of every visit that is open.
func (t *tx) LockVisit(ctx context.Context, id int64) (domain.Visit, error) {
	row, err := one[struct {
		domain.Visit
		Joined *int64
	}](ctx, &t.queries, `SELECT `+visitColumns+`, c.id AS joined`+visitTables+` WHERE v.id = $1`+t.lock("v"), id)
	if err == nil && row.ContactID != nil && (row.Joined == nil || *row.Joined != *row.ContactID) {
		return t.Visit(ctx, id)
	}
	return row.Visit, err
}

func (q *queries) OpenVisits(ctx context.Context, advisorID, storeID int64) ([]domain.Visit, error) {
	return many[domain.Visit](ctx, q, `SELECT `+visitColumns+visitTables+`
		WHERE v.advisor_id = $1 AND v.store_id = $2 AND v.ended_at IS NULL ORDER BY v.id DESC`, advisorID, storeID)
}

// Visits pages by the key and not by an offset: rows that are added meanwhile
// shift nothing, and the last page costs what the first one does.
func (q *queries) Visits(ctx context.Context, f domain.VisitFilter) ([]domain.VisitRow, error) {
	where, args := `TRUE`, []any{}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where += ` AND ` + condition + placeholder(len(args))
	}
	if !f.AllStores {
		var ids string
		ids, args = in("v.store_id", f.StoreIDs, args)
		where += ` AND ` + ids
	}
	if f.Day != "" {
		and(`v.day = `, f.Day)
	}
	if f.StoreID != 0 {
		and(`v.store_id = `, f.StoreID)
	}
	if f.AdvisorID != 0 {
		and(`v.advisor_id = `, f.AdvisorID)
	}
	if f.ContactID != 0 {
		and(`v.contact_id = `, f.ContactID)
	}
	if f.Outcome != domain.Open {
		and(`v.outcome = `, f.Outcome)
	}
	if f.OnlyOpen {
		where += ` AND v.ended_at IS NULL`
	}
	if f.Before != 0 {
		and(`v.id < `, f.Before)
	}
	if f.Limit <= 0 {
		f.Limit = listed
	}
	args = append(args, f.Limit)
	// The product's name is read as it is and not through coalesce: an
	// expression has no declared type, and SQLite's driver would turn a name
	// that looks like a date into one.
	var rows []struct {
		domain.VisitRow
		Product *string
	}
	err := q.list(ctx, &rows, `SELECT `+visitColumns+`, s.name AS store_name, s.time_zone AS store_time_zone,
			a.name AS advisor_name, p.name AS product`+visitTables+`
		JOIN stores s ON s.id = v.store_id
		JOIN staff a ON a.id = v.advisor_id
		LEFT JOIN products p ON p.id = v.product_id
		WHERE `+where+` ORDER BY v.id DESC LIMIT `+placeholder(len(args)), args...)
	if err != nil {
		return nil, err
	}
	out := make([]domain.VisitRow, len(rows))
	for i, r := range rows {
		out[i] = r.VisitRow
		if r.Product != nil {
			out[i].ProductName = *r.Product
		}
	}
	return out, nil
}

func (q *queries) StaleVisits(ctx context.Context, before time.Time, limit int) ([]int64, error) {
	return many[int64](ctx, q, `SELECT id FROM visits WHERE ended_at IS NULL AND touched_at < $1
		ORDER BY touched_at, id LIMIT $2`, before, limit)
}

func (t *tx) AddVisit(ctx context.Context, v domain.Visit) (id int64, created bool, err error) {
	id, created, err = t.addOnce(ctx, `INSERT INTO visits (programme_id, store_id, advisor_id, request_id, language, day,
			started_at, touched_at, ended_at, age, consents_at, personal_data, communications, contact_id, customer_name,
			verified_at, code_skipped, promo_passed, outcome, product_id, price, discount)
		VALUES (:programme_id, :store_id, :advisor_id, :request_id, :language, :day,
			:started_at, :touched_at, :ended_at, :age, :consents_at, :personal_data, :communications, :contact_id, :customer_name,
			:verified_at, :code_skipped, :promo_passed, :outcome, :product_id, :price, :discount)
		ON CONFLICT (request_id) DO NOTHING RETURNING id`, v)
	if err != nil || created {
		return id, created, err
	}
	id, err = one[int64](ctx, &t.queries, `SELECT id FROM visits WHERE request_id = $1`, v.RequestID)
	return id, false, err
}

// SaveVisit leaves alone what a visit is born with: programme, store,
// advisor, request, day and start.
func (t *tx) SaveVisit(ctx context.Context, v domain.Visit) error {
	query, args, err := t.tx.BindNamed(`UPDATE visits SET language = :language, touched_at = :touched_at, ended_at = :ended_at,
			age = :age, consents_at = :consents_at, personal_data = :personal_data, communications = :communications,
			contact_id = :contact_id, customer_name = :customer_name, verified_at = :verified_at,
			code_skipped = :code_skipped, code_deferred = :code_deferred, self_token = :self_token, link = :link,
			promo_passed = :promo_passed, outcome = :outcome,
			product_id = :product_id, price = :price, discount = :discount,
			voided_at = :voided_at, voided_by = :voided_by, void_reason = :void_reason
		WHERE id = :id`, v)
	if err != nil {
		return err
	}
	return t.execOne(ctx, query, args...)
}

func (q *queries) Bought(ctx context.Context, programmeID, contactID, exceptVisitID int64) (bool, error) {
	return one[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM visits WHERE programme_id = $1 AND contact_id = $2
		AND id <> $3 AND outcome = 'purchase' AND verified_at IS NOT NULL AND voided_at IS NULL)`,
		programmeID, contactID, exceptVisitID)
}

func (q *queries) StandingPurchase(ctx context.Context, programmeID, contactID, exceptVisitID int64) (domain.Visit, error) {
	return one[domain.Visit](ctx, q, `SELECT `+visitColumns+visitTables+` WHERE v.programme_id = $1 AND v.contact_id = $2
		AND v.id <> $3 AND v.outcome = 'purchase' AND v.verified_at IS NOT NULL AND v.voided_at IS NULL
		ORDER BY v.id DESC LIMIT 1`, programmeID, contactID, exceptVisitID)
}

func (q *queries) IsDemo(ctx context.Context) (bool, error) {
	return one[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM visits WHERE request_id = $1)`, domain.DemoRequestID)
}

func (q *queries) VisitEvents(ctx context.Context, visitID int64) ([]domain.VisitEvent, error) {
	return many[domain.VisitEvent](ctx, q, `SELECT visit_id, coalesce(staff_id, 0) AS staff_id, at, kind, detail
		FROM visit_events WHERE visit_id = $1 ORDER BY id`, visitID)
}

func (t *tx) AddVisitEvent(ctx context.Context, e domain.VisitEvent) error {
	_, err := t.exec(ctx, `INSERT INTO visit_events (visit_id, staff_id, at, kind, detail) VALUES ($1, $2, $3, $4, $5)`,
		e.VisitID, orNull(e.StaffID), e.At, e.Kind, e.Detail)
	return err
}
