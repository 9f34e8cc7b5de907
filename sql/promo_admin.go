package sql

import (
	"context"
	"strings"
	"time"

	"prilavok/domain"
)

// codesAtOnce is how many codes one statement names. SQLite looks each $1 up
// by its name among all before it, so ten short statements are quicker there
// than a long one.
func (q *queries) codesAtOnce() int {
	if q.postgres {
		return 500
	}
	return 50
}

func (q *queries) Programmes(ctx context.Context) ([]domain.Programme, error) {
	ids, err := many[int64](ctx, q, `SELECT id FROM programmes ORDER BY name, id`)
	if err != nil {
		return nil, err
	}
	out := make([]domain.Programme, len(ids))
	for i, id := range ids {
		if out[i], err = q.Programme(ctx, id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PromoRows pages by the key, as Visits does. A title is read as it is and
// not through coalesce, for the reason that stands there.
func (q *queries) PromoRows(ctx context.Context, f domain.PromoFilter) ([]domain.PromoRow, error) {
	where, args := promoWhere(f, []any{q.now()})
	if f.Limit <= 0 {
		f.Limit = listed
	}
	args = append(args, f.Limit)
	var rows []struct {
		domain.PromoRow
		Title *string
	}
	err := q.list(ctx, &rows, `SELECT `+promoColumns+`, (SELECT count(*) FROM redemptions h
			WHERE h.promo_code_id = p.id AND h.state = 'held' AND h.held_until > $1) AS held, b.title`+promoTables+`
		LEFT JOIN promo_batches b ON b.id = p.batch_id
		WHERE `+where+` ORDER BY p.id DESC LIMIT `+placeholder(len(args)), args...)
	if err != nil {
		return nil, err
	}
	out := make([]domain.PromoRow, len(rows))
	for i, r := range rows {
		out[i] = r.PromoRow
		if r.Title != nil {
			out[i].BatchTitle = *r.Title
		}
	}
	return out, nil
}

// promoWhere writes the conditions of a filter; $1 is the time.
func promoWhere(f domain.PromoFilter, args []any) (string, []any) {
	where := `TRUE`
	and := func(condition string, arg any) {
		args = append(args, arg)
		where += ` AND ` + condition + placeholder(len(args))
	}
	if !f.AllProgrammes {
		var ids string
		ids, args = in("p.programme_id", f.ProgrammeIDs, args)
		where += ` AND ` + ids
	}
	if f.Code != "" || f.Phone != "" {
		// Two lookups by index; an OR over two tables would read them whole.
		args = append(args, f.Code, f.Phone)
		where += ` AND p.id IN (SELECT id FROM promo_codes WHERE code = ` + placeholder(len(args)-1) + `
			UNION ALL SELECT o.id FROM promo_codes o JOIN contacts oc ON oc.id = o.owner_id WHERE oc.phone = ` + placeholder(len(args)) + `)`
	}
	if f.Kind != "" {
		and(`p.kind = `, f.Kind)
	}
	if f.BatchID != 0 {
		and(`p.batch_id = `, f.BatchID)
	}
	if f.Before != 0 {
		and(`p.id < `, f.Before)
	}
	const alive, left = ` AND p.state = 'active' AND (p.expires_at IS NULL OR p.expires_at > $1)`, `p.used - ` + promoRunOut + ` < p.max_uses`
	switch f.Standing {
	case domain.StandingFrozen, domain.StandingVoid:
		and(`p.state = `, f.Standing)
	case domain.StandingExpired:
		where += ` AND p.state = 'active' AND p.expires_at <= $1`
	case domain.StandingUsedUp:
		where += alive + ` AND NOT (` + left + `)`
	case domain.StandingActive:
		where += alive + ` AND ` + left
	}
	return where, args
}

func (q *queries) PromoUses(ctx context.Context, promoCodeID int64) ([]domain.PromoUse, error) {
	return many[domain.PromoUse](ctx, q, `SELECT r.state, r.held_at, r.held_until, r.settled_at, r.voided_at, r.visit_id,
			v.store_id, s.name AS store_name, s.time_zone AS store_time_zone, a.name AS advisor_name,
			coalesce(r.friend_phone, '') AS phone
		FROM redemptions r JOIN visits v ON v.id = r.visit_id JOIN stores s ON s.id = v.store_id JOIN staff a ON a.id = v.advisor_id
		WHERE r.promo_code_id = $1 ORDER BY r.id`, promoCodeID)
}

func (q *queries) PromoAttempts(ctx context.Context, promoCodeID int64) ([]domain.PromoAttempt, error) {
	return many[domain.PromoAttempt](ctx, q, `SELECT f.reason, f.at, coalesce(f.visit_id, 0) AS visit_id, f.store_id,
			s.name AS store_name, s.time_zone AS store_time_zone, a.name AS advisor_name, coalesce(c.phone, '') AS phone
		FROM promo_refusals f JOIN stores s ON s.id = f.store_id JOIN staff a ON a.id = f.staff_id
		LEFT JOIN visits v ON v.id = f.visit_id LEFT JOIN contacts c ON c.id = v.contact_id
		WHERE f.promo_code_id = $1 ORDER BY f.id`, promoCodeID)
}

func (q *queries) PromoEvents(ctx context.Context, promoCodeID int64) ([]domain.PromoEventRow, error) {
	var rows []struct {
		domain.PromoEventRow
		Name *string
	}
	err := q.list(ctx, &rows, `SELECT e.promo_code_id, coalesce(e.staff_id, 0) AS staff_id, e.at, e.kind, e.detail, a.name
		FROM promo_events e LEFT JOIN staff a ON a.id = e.staff_id WHERE e.promo_code_id = $1 ORDER BY e.id`, promoCodeID)
	if err != nil {
		return nil, err
	}
	out := make([]domain.PromoEventRow, len(rows))
	for i, r := range rows {
		out[i] = r.PromoEventRow
		if r.Name != nil {
			out[i].StaffName = *r.Name
		}
	}
	return out, nil
}

func (t *tx) ExtendPromo(ctx context.Context, id int64, until *time.Time) error {
	return t.execOne(ctx, `UPDATE promo_codes SET expires_at = $2 WHERE id = $1`, id, until)
}

// rowsOf writes "($3, $4), ($5, $6), …" for rows of a width, with
// placeholders that start after those that are used already.
func rowsOf(used, rows, width int) string {
	var b strings.Builder
	for i := range rows * width {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%width == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString(placeholder(used + i + 1))
	}
	b.WriteString(")")
	return b.String()
}
