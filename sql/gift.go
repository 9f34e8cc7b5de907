package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

const giftColumns = `id, programme_id, owner_id, promo_code_id, state, earned_at, revoked_at, collected_at, collected_visit_id`

func (q *queries) Gift(ctx context.Context, id int64) (domain.Gift, error) {
	return one[domain.Gift](ctx, q, `SELECT `+giftColumns+` FROM gifts WHERE id = $1`, id)
}

func (q *queries) GiftOfCode(ctx context.Context, promoCodeID int64) (domain.Gift, error) {
	return one[domain.Gift](ctx, q, `SELECT `+giftColumns+` FROM gifts WHERE promo_code_id = $1`, promoCodeID)
}

func (q *queries) VisitGifts(ctx context.Context, programmeID, ownerID, visitID int64) ([]domain.Gift, error) {
	return many[domain.Gift](ctx, q, `SELECT `+giftColumns+` FROM gifts
		WHERE programme_id = $1 AND owner_id = $2 AND (state = 'earned' OR collected_visit_id = $3) ORDER BY id`,
		programmeID, ownerID, visitID)
}

// EarnGift counts under the lock of the code: nobody confirms or voids a use
// of it before the gift is written.
func (t *tx) EarnGift(ctx context.Context, g domain.Gift, friends int) (bool, error) {
	n, err := one[int](ctx, &t.queries, `SELECT `+confirmedUses+` FROM promo_codes WHERE id = $1 AND state <> 'void'`, g.PromoCodeID)
	if domain.IsNotFound(err) {
		return false, nil
	}
	if err != nil || n < friends {
		return false, err
	}
	_, ok, err := t.addOnce(ctx, `INSERT INTO gifts (programme_id, owner_id, promo_code_id, state, earned_at)
		VALUES (:programme_id, :owner_id, :promo_code_id, 'earned', :earned_at)
		ON CONFLICT (promo_code_id) DO UPDATE SET state = 'earned', earned_at = excluded.earned_at, revoked_at = NULL
			WHERE gifts.state = 'revoked' RETURNING id`, g)
	return ok, err
}

func (t *tx) RevokeGift(ctx context.Context, promoCodeID int64, friends int, at time.Time) (bool, error) {
	n, err := t.exec(ctx, `UPDATE gifts SET state = 'revoked', revoked_at = $2
		WHERE promo_code_id = $1 AND state = 'earned' AND `+confirmedUses+` < $3`, promoCodeID, at, friends)
	return n > 0, err
}

// confirmedUses needs $1, the code.
const confirmedUses = `(SELECT count(*) FROM redemptions WHERE promo_code_id = $1 AND state = 'confirmed')`

func (t *tx) CollectGift(ctx context.Context, id, visitID int64, at time.Time) (bool, error) {
	n, err := t.exec(ctx, `UPDATE gifts SET state = 'collected', collected_at = $3, collected_visit_id = $2
		WHERE id = $1 AND state = 'earned'`, id, visitID, at)
	return n > 0, err
}
