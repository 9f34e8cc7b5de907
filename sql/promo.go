package sql

import (
	"context"
	"fmt"
	"slices"
	"time"

	"prilavok/domain"
)

// Run-out holds. A hold whose time is over still stands as 'held' in its row,
// and in promo_codes.used, until somebody needs it (Hold) or the sweep comes
// (Release). Every read here counts it as given back already, by the clock of
// Options.Now: otherwise an advisor would be told "all uses are held" about a
// code that Hold would take. LiveRedemption alone still shows it: the visit
// that holds it may confirm it as long as nobody else took it.

// promoColumns need $1, the time by which holds have run out.
const (
	promoColumns = `p.id, p.programme_id, p.code, p.kind,
		coalesce(p.owner_id, 0) AS owner_id, coalesce(c.phone, '') AS owner_phone, p.state,
		p.discount_percent AS "discount.percent", p.discount_kopecks AS "discount.kopecks",
		p.max_uses, p.used - ` + promoRunOut + ` AS used, p.expires_at,
		coalesce(p.source_visit_id, 0) AS source_visit_id, coalesce(p.batch_id, 0) AS batch_id, p.created_at`
	promoRunOut = `(SELECT count(*) FROM redemptions h
		WHERE h.promo_code_id = p.id AND h.state = 'held' AND h.held_until <= $1)`
	promoTables = ` FROM promo_codes p LEFT JOIN contacts c ON c.id = p.owner_id`
)

func (q *queries) PromoCode(ctx context.Context, code string) (domain.PromoCode, error) {
	return one[domain.PromoCode](ctx, q, `SELECT `+promoColumns+promoTables+` WHERE p.code = $2`, q.now(), code)
}

func (q *queries) PromoCodeByID(ctx context.Context, id int64) (domain.PromoCode, error) {
	return one[domain.PromoCode](ctx, q, `SELECT `+promoColumns+promoTables+` WHERE p.id = $2`, q.now(), id)
}

// LiveCode takes no hold for a use: it may come back, and then somebody who
// bought again meanwhile would share two live codes. A frozen code is one that
// they have, too: otherwise a purchase would be the way round a freeze.
func (q *queries) LiveCode(ctx context.Context, programmeID, ownerID int64, kind domain.PromoKind, at time.Time) (domain.PromoCode, error) {
	return one[domain.PromoCode](ctx, q, `SELECT `+promoColumns+promoTables+`
		WHERE p.owner_id = $2 AND p.programme_id = $3 AND p.kind = $4 AND p.state IN ('active', 'frozen')
			AND (p.expires_at IS NULL OR p.expires_at > $1)
			AND p.used - (SELECT count(*) FROM redemptions l WHERE l.promo_code_id = p.id AND l.state = 'held') < p.max_uses
		ORDER BY p.id DESC LIMIT 1`, at, ownerID, programmeID, kind)
}

// LiveCode inside a transaction keeps others from asking the same until it
// ends: two purchases of one customer at the same moment would both find no
// code and each give one.
func (t *tx) LiveCode(ctx context.Context, programmeID, ownerID int64, kind domain.PromoKind, at time.Time) (domain.PromoCode, error) {
	if t.postgres {
		if err := t.get(ctx, new(int64), `SELECT c.id FROM contacts c WHERE c.id = $1`+t.lock("c"), ownerID); err != nil {
			return domain.PromoCode{}, err
		}
	}
	return t.queries.LiveCode(ctx, programmeID, ownerID, kind, at)
}

// The friend is taken out of a redemption that does not count any more when
// the visit lets go of its contact.
const (
	redemptionColumns = `r.id, r.programme_id, r.promo_code_id, p.code, p.kind,
		coalesce(p.owner_id, 0) AS owner_id,
		p.discount_percent AS "discount.percent", p.discount_kopecks AS "discount.kopecks", r.visit_id,
		coalesce(r.friend_id, 0) AS friend_id, coalesce(r.friend_phone, '') AS friend_phone,
		r.state, r.held_at, r.held_until, r.settled_at, r.voided_at, r.use_kept`
	redemptionTables = ` FROM redemptions r JOIN promo_codes p ON p.id = r.promo_code_id`
)

func (q *queries) LiveRedemption(ctx context.Context, visitID int64) (domain.Redemption, error) {
	return one[domain.Redemption](ctx, q, `SELECT `+redemptionColumns+redemptionTables+`
		WHERE r.visit_id = $1 AND r.state IN ('held', 'confirmed')`, visitID)
}

func (q *queries) Redemptions(ctx context.Context, visitID int64) ([]domain.Redemption, error) {
	return many[domain.Redemption](ctx, q, `SELECT `+redemptionColumns+redemptionTables+` WHERE r.visit_id = $1 ORDER BY r.id`, visitID)
}

func (q *queries) PhoneRedeemed(ctx context.Context, programmeID int64, phone string, exceptVisitID int64) (bool, error) {
	return one[bool](ctx, q, `SELECT EXISTS (SELECT 1 FROM redemptions
		WHERE programme_id = $1 AND friend_phone = $2 AND visit_id <> $3
			AND state IN ('held', 'confirmed') AND (state = 'confirmed' OR held_until > $4))`,
		programmeID, phone, exceptVisitID, q.now())
}

func (q *queries) HeldUses(ctx context.Context, promoCodeID int64) (int, error) {
	return one[int](ctx, q, `SELECT count(*) FROM redemptions
		WHERE promo_code_id = $1 AND state = 'held' AND held_until > $2`, promoCodeID, q.now())
}

func (q *queries) ExpiredHolds(ctx context.Context, at time.Time, limit int) ([]int64, error) {
	return many[int64](ctx, q, `SELECT id FROM redemptions WHERE state = 'held' AND held_until <= $1
		ORDER BY held_until, id LIMIT $2`, at, limit)
}

const refusalColumns = `id, visit_id, promo_code_id, store_id, staff_id, reason, address_key, at`

func (q *queries) PromoRefusals(ctx context.Context, visitID int64) ([]domain.PromoRefusal, error) {
	return many[domain.PromoRefusal](ctx, q, `SELECT `+refusalColumns+`
		FROM promo_refusals WHERE visit_id = $1 AND reason <> 'asked' ORDER BY id`, visitID)
}

func (q *queries) OrphanedRefusals(ctx context.Context, before time.Time, limit int) ([]domain.PromoRefusal, error) {
	return many[domain.PromoRefusal](ctx, q, `SELECT `+refusalColumns+`
		FROM promo_refusals WHERE reason = 'asked' AND at < $1 ORDER BY id LIMIT $2`, before, limit)
}

func (t *tx) AddPromoRefusal(ctx context.Context, r domain.PromoRefusal) (int64, error) {
	return one[int64](ctx, &t.queries, `INSERT INTO promo_refusals (visit_id, promo_code_id, store_id, staff_id, reason, address_key, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`, r.VisitID, r.PromoCodeID, r.StoreID, r.StaffID, r.Reason, r.AddressKey, r.At)
}

func (t *tx) FinishPromoRefusal(ctx context.Context, r domain.PromoRefusal) error {
	_, err := t.exec(ctx, `UPDATE promo_refusals SET reason = $2, promo_code_id = $3 WHERE id = $1`, r.ID, r.Reason, r.PromoCodeID)
	return err
}

func (t *tx) DropPromoRefusal(ctx context.Context, id int64) error {
	_, err := t.exec(ctx, `DELETE FROM promo_refusals WHERE id = $1 AND reason = 'asked'`, id)
	return err
}

// promoRow is a code as its columns hold it: NULL where the domain has no id.
type promoRow struct {
	PromoCode            domain.PromoCode
	Owner, Source, Batch *int64
}

// AddPromoCode takes Used as it is given, for fixtures; the domain gives 0.
func (t *tx) AddPromoCode(ctx context.Context, p domain.PromoCode) (id int64, ok bool, err error) {
	return t.addOnce(ctx, `INSERT INTO promo_codes (programme_id, code, kind, owner_id, state,
			discount_percent, discount_kopecks, max_uses, used, expires_at, source_visit_id, batch_id, created_at)
		VALUES (:promo_code.programme_id, :promo_code.code, :promo_code.kind, :owner, :promo_code.state,
			:promo_code.discount.percent, :promo_code.discount.kopecks, :promo_code.max_uses, :promo_code.used,
			:promo_code.expires_at, :source, :batch, :promo_code.created_at)
		ON CONFLICT (code) DO NOTHING RETURNING id`, promoRow{p, orNull(p.OwnerID), orNull(p.SourceVisitID), orNull(p.BatchID)})
}

// LockPromoCodes locks by ascending id, as everything that locks several
// codes does; two visits that swap the same codes then queue.
func (t *tx) LockPromoCodes(ctx context.Context, ids ...int64) error {
	if !t.postgres || len(ids) == 0 {
		return nil
	}
	where, args := in("id", ids, nil)
	_, err := many[int64](ctx, &t.queries, `SELECT id FROM promo_codes WHERE `+where+` ORDER BY id FOR NO KEY UPDATE`, args...)
	return err
}

func (t *tx) SetPromoState(ctx context.Context, id int64, state domain.PromoState) error {
	return t.execOne(ctx, `UPDATE promo_codes SET state = $2 WHERE id = $1`, id, state)
}

// Everything that follows locks code rows before redemption rows, and several
// code rows by ascending id. Two transactions that need the same rows then
// queue instead of waiting for each other; InTx runs again what slips through.

// Hold counts the use first, under the conditions, and writes the redemption
// after. Where another visit of the phone was faster, the unique index lets
// the insert do nothing, and the count is taken back by an update: the row is
// locked by this transaction already, and a savepoint would cost two round
// trips on every hold that succeeds.
func (t *tx) Hold(ctx context.Context, r domain.Redemption) (id int64, ok bool, err error) {
	if err := t.expireHolds(ctx, r); err != nil {
		return 0, false, err
	}
	n, err := t.exec(ctx, `UPDATE promo_codes SET used = used + 1
		WHERE id = $1 AND programme_id = $2 AND state = 'active' AND used < max_uses
			AND (expires_at IS NULL OR expires_at > $3)
			AND (kind = 'batch' OR (kind = 'referral' AND (SELECT phone FROM contacts WHERE id = owner_id) <> $4)
				OR (kind = 'trial' AND (SELECT phone FROM contacts WHERE id = owner_id) = $4))`,
		r.PromoCodeID, r.ProgrammeID, r.HeldAt, r.FriendPhone)
	if err != nil || n == 0 {
		return 0, false, err
	}
	id, ok, err = t.addOnce(ctx, `INSERT INTO redemptions (programme_id, promo_code_id, visit_id, friend_id, friend_phone,
			state, held_at, held_until)
		VALUES (:programme_id, :promo_code_id, :visit_id, :friend_id, :friend_phone, 'held', :held_at, :held_until)
		ON CONFLICT DO NOTHING RETURNING id`, r)
	if err != nil || ok {
		return id, ok, err
	}
	_, err = t.exec(ctx, `UPDATE promo_codes SET used = used - 1 WHERE id = $1`, r.PromoCodeID)
	return 0, false, err
}

// expireHolds gives back the run-out holds that stand in the way of r: those
// of its code, and one of its phone on whatever code, which would bar the
// insert. There is hardly ever one, so it only looks at first. Nothing can
// slip in between: a hold that had run out by r.HeldAt was made long before.
func (t *tx) expireHolds(ctx context.Context, r domain.Redemption) error {
	var runOut []struct{ ID, PromoCodeID int64 }
	err := t.list(ctx, &runOut, `SELECT id, promo_code_id FROM redemptions
		WHERE state = 'held' AND held_until <= $1
			AND (promo_code_id = $2 OR (programme_id = $3 AND friend_phone = $4))`,
		r.HeldAt, r.PromoCodeID, r.ProgrammeID, r.FriendPhone)
	if err != nil || len(runOut) == 0 {
		return err
	}
	codes, holds := []int64{r.PromoCodeID}, []int64{}
	for _, h := range runOut {
		codes, holds = append(codes, h.PromoCodeID), append(holds, h.ID)
	}
	if t.postgres {
		where, args := in("p.id", codes, nil)
		if err := t.list(ctx, new([]int64), `SELECT p.id FROM promo_codes p WHERE `+where+` ORDER BY p.id`+t.lock("p"), args...); err != nil {
			return err
		}
	}
	_, err = t.settleHolds(ctx, holds, domain.RedemptionExpired, r.HeldAt)
	return err
}

func (t *tx) Confirm(ctx context.Context, redemptionID int64, at time.Time) (bool, error) {
	// The counter stays, but the order of locks is kept: what the purchase
	// causes next may void this very code.
	if err := t.lockCodeOf(ctx, redemptionID); err != nil {
		return false, err
	}
	n, err := t.exec(ctx, `UPDATE redemptions SET state = 'confirmed', settled_at = $2 WHERE id = $1 AND state = 'held'`,
		redemptionID, at)
	return n > 0, err
}

func (t *tx) Release(ctx context.Context, redemptionID int64, state domain.RedemptionState, at time.Time) (bool, error) {
	if state != domain.RedemptionReleased && state != domain.RedemptionExpired {
		return false, fmt.Errorf("sql: a hold is not released into the state %q", state)
	}
	if err := t.lockCodeOf(ctx, redemptionID); err != nil {
		return false, err
	}
	n, err := t.settleHolds(ctx, []int64{redemptionID}, state, at)
	return n > 0, err
}

// lockCodeOf locks the code of a redemption. It does nothing where there is
// no such redemption.
func (t *tx) lockCodeOf(ctx context.Context, redemptionID int64) error {
	if !t.postgres {
		return nil
	}
	return t.list(ctx, new([]int64), `SELECT p.id FROM promo_codes p JOIN redemptions r ON r.promo_code_id = p.id
		WHERE r.id = $1`+t.lock("p"), redemptionID)
}

// settleHolds moves those of the redemptions that are still held into a final
// state and gives their uses back. The code rows are locked.
func (t *tx) settleHolds(ctx context.Context, ids []int64, state domain.RedemptionState, at time.Time) (int, error) {
	var codes []int64
	where, args := in("id", ids, []any{state, at})
	err := t.list(ctx, &codes, `UPDATE redemptions SET state = $1, settled_at = $2
		WHERE state = 'held' AND `+where+` RETURNING promo_code_id`, args...)
	if err != nil {
		return 0, err
	}
	slices.Sort(codes)
	for _, code := range codes {
		if err := t.execOne(ctx, `UPDATE promo_codes SET used = used - 1 WHERE id = $1`, code); err != nil {
			return 0, err
		}
	}
	return len(codes), nil
}
