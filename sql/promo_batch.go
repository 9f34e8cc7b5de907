package sql

import (
	"context"
	"slices"
	"strings"

	"prilavok/domain"
)

const batchColumns = `b.id, b.programme_id, b.request_id, b.title, b.imported, b.size, b.staff_id, b.created_at`

func (q *queries) PromoBatch(ctx context.Context, id int64) (domain.PromoBatch, error) {
	return one[domain.PromoBatch](ctx, q, `SELECT `+batchColumns+` FROM promo_batches b WHERE b.id = $1`, id)
}

func (q *queries) PromoBatchByRequest(ctx context.Context, requestID string) (domain.PromoBatch, error) {
	return one[domain.PromoBatch](ctx, q, `SELECT `+batchColumns+` FROM promo_batches b WHERE b.request_id = $1`, requestID)
}

func (q *queries) PromoBatchChoices(ctx context.Context, programmeIDs []int64, all bool, limit int) ([]domain.PromoBatch, error) {
	where, args := `TRUE`, []any{}
	if !all {
		where, args = in("b.programme_id", programmeIDs, args)
	}
	args = append(args, limit)
	return many[domain.PromoBatch](ctx, q, `SELECT `+batchColumns+` FROM promo_batches b
		WHERE `+where+` ORDER BY b.id DESC LIMIT `+placeholder(len(args)), args...)
}

// PromoBatches counts run-out holds once for a batch and not once for each of
// its thousands of codes.
func (q *queries) PromoBatches(ctx context.Context, programmeIDs []int64, all bool, before int64, limit int) ([]domain.PromoBatchRow, error) {
	where, args := `TRUE`, []any{q.now()}
	if !all {
		where, args = in("b.programme_id", programmeIDs, args)
	}
	if before != 0 {
		args = append(args, before)
		where += ` AND b.id < ` + placeholder(len(args))
	}
	args = append(args, limit)
	return many[domain.PromoBatchRow](ctx, q, `SELECT `+batchColumns+`, a.name AS staff_name,
			coalesce((SELECT sum(p.used) FROM promo_codes p WHERE p.batch_id = b.id), 0)
				- (SELECT count(*) FROM redemptions h JOIN promo_codes p ON p.id = h.promo_code_id
					WHERE p.batch_id = b.id AND h.state = 'held' AND h.held_until <= $1) AS used,
			coalesce((SELECT sum(p.max_uses) FROM promo_codes p WHERE p.batch_id = b.id), 0) AS max_uses
		FROM promo_batches b JOIN staff a ON a.id = b.staff_id
		WHERE `+where+` ORDER BY b.id DESC LIMIT `+placeholder(len(args)), args...)
}

func (t *tx) AddPromoBatch(ctx context.Context, b domain.PromoBatch) (id int64, created bool, err error) {
	id, created, err = t.addOnce(ctx, `INSERT INTO promo_batches (programme_id, request_id, title, imported, size, staff_id, created_at)
		VALUES (:programme_id, :request_id, :title, :imported, :size, :staff_id, :created_at)
		ON CONFLICT (request_id) DO NOTHING RETURNING id`, b)
	if err != nil || created {
		return id, created, err
	}
	earlier, err := t.PromoBatchByRequest(ctx, b.RequestID)
	return earlier.ID, false, err
}

func (q *queries) TakenPromoCodes(ctx context.Context, codes []string) (taken []string, err error) {
	for part := range slices.Chunk(codes, q.codesAtOnce()) {
		args := make([]any, len(part))
		for i, c := range part {
			args[i] = c
		}
		some, err := many[string](ctx, q, `SELECT code FROM promo_codes WHERE code IN `+rowsOf(0, 1, len(part)), args...)
		if err != nil {
			return nil, err
		}
		taken = append(taken, some...)
	}
	return taken, nil
}

// AddPromoCodes inserts in the order of the digits: two batches that happen
// upon the same codes then wait for each other in one direction only.
func (t *tx) AddPromoCodes(ctx context.Context, codes []domain.PromoCode) (added []string, err error) {
	codes = slices.SortedFunc(slices.Values(codes), func(a, b domain.PromoCode) int { return strings.Compare(a.Code, b.Code) })
	const columns = 13
	for part := range slices.Chunk(codes, t.codesAtOnce()) {
		args := make([]any, 0, len(part)*columns)
		for _, p := range part {
			args = append(args, p.ProgrammeID, p.Code, p.Kind, orNull(p.OwnerID), p.State, p.Discount.Percent, p.Discount.Kopecks,
				p.MaxUses, p.Used, p.ExpiresAt, orNull(p.SourceVisitID), orNull(p.BatchID), p.CreatedAt)
		}
		some, err := many[string](ctx, &t.queries, `INSERT INTO promo_codes (programme_id, code, kind, owner_id, state,
				discount_percent, discount_kopecks, max_uses, used, expires_at, source_visit_id, batch_id, created_at)
			VALUES `+rowsOf(0, len(part), columns)+` ON CONFLICT (code) DO NOTHING RETURNING code`, args...)
		if err != nil {
			return nil, err
		}
		added = append(added, some...)
	}
	return added, nil
}
