package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

func (q *queries) OwnedCodes(ctx context.Context, programmeID, ownerID int64, kind domain.PromoKind) ([]domain.PromoCode, error) {
	return many[domain.PromoCode](ctx, q, `SELECT `+promoColumns+promoTables+`
		WHERE p.owner_id = $2 AND p.programme_id = $3 AND p.kind = $4 AND p.state <> 'void' ORDER BY p.id`,
		q.now(), ownerID, programmeID, kind)
}

func (q *queries) ConfirmedUses(ctx context.Context, promoCodeID int64) (int, error) {
	return one[int](ctx, q, `SELECT `+confirmedUses, promoCodeID)
}

// VoidRedemption locks the code first; the other order has deadlocked with
// tills that take a use of the same code.
func (t *tx) VoidRedemption(ctx context.Context, redemptionID int64, useKept bool, at time.Time) (bool, error) {
	if err := t.lockCodeOf(ctx, redemptionID); err != nil {
		return false, err
	}
	code, err := one[int64](ctx, &t.queries, `UPDATE redemptions SET state = 'voided', voided_at = $2, use_kept = $3
		WHERE id = $1 AND state = 'confirmed' RETURNING promo_code_id`, redemptionID, at, useKept)
	if domain.IsNotFound(err) {
		return false, nil
	}
	if err != nil || useKept {
		return err == nil, err
	}
	return true, t.execOne(ctx, `UPDATE promo_codes SET used = used - 1 WHERE id = $1`, code)
}

func (t *tx) AddPromoEvent(ctx context.Context, e domain.PromoEvent) error {
	_, err := t.exec(ctx, `INSERT INTO promo_events (promo_code_id, staff_id, at, kind, detail) VALUES ($1, $2, $3, $4, $5)`,
		e.PromoCodeID, orNull(e.StaffID), e.At, e.Kind, e.Detail)
	return err
}
