package sql_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// 64 callers fight for codes of three uses: exactly three held or confirmed
// each, no phone twice, never the owner.
func TestThreeUses(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		s := sqltest.Fixture(t, db)
		const callers, phones = 64, 48
		// SQLite has one writer, which hides races, and is slow under -race.
		codes := make([]domain.PromoCode, map[bool]int{true: 8, false: 3}[db.IsPostgres()])
		for i := range codes {
			// The owners' phones are among the callers' phones.
			codes[i] = addReferral(t, db, s, phone(i), fmt.Sprintf("%010d", i))
		}
		together(callers, func(i int) {
			order := rand.New(rand.NewPCG(1, uint64(i))) //nolint:gosec // the same dice at every run
			// Each phone is in the hands of several callers at once.
			for _, n := range []int{i % phones, (i + 16) % phones, (i + 31) % phones} {
				for _, code := range order.Perm(len(codes)) {
					err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
						v, err := visitFor(ctx, tx, s, phone(n))
						if err != nil {
							return err
						}
						id, ok, err := tx.Hold(ctx, hold(codes[code], v, c.Now()))
						if err != nil || !ok || i%2 == 0 {
							return err
						}
						confirmed, err := tx.Confirm(ctx, id, c.Now())
						if !confirmed {
							t.Errorf("a hold of this transaction is not confirmed: %v", err)
						}
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		recount(t, db)
		for _, p := range codes {
			if n := count(t, db, `SELECT count(*) FROM redemptions WHERE promo_code_id = $1 AND state IN ('held', 'confirmed')`, p.ID); n != 3 {
				t.Errorf("code %s has %d uses, want 3", p.Code, n)
			}
		}
	})
}

// Holds, confirmations, releases, voids, sweeps and freezes of the same few
// codes, while the clock runs: the counters never drift and no deadlock gets out.
func TestUsesNeverDrift(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		s := sqltest.Fixture(t, db)
		moves := map[bool]int{true: 60, false: 20}[db.IsPostgres()]
		codes := make([]domain.PromoCode, 4)
		for i := range codes {
			codes[i] = addReferral(t, db, s, phone(i), fmt.Sprintf("%010d", i))
		}
		dice, mine := make([]*rand.Rand, 24), make([][]domain.Redemption, 24)
		for i := range dice {
			dice[i] = rand.New(rand.NewPCG(2, uint64(i))) //nolint:gosec // the same dice at every run
		}
		// Who comes first is chance, so one round may void nothing: there are
		// more until each move has happened.
		missing := notYet(t, db)
		for round := 0; round < 10 && len(missing) > 0 && !t.Failed(); round++ {
			together(len(dice), func(i int) {
				for range moves {
					if err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
						return oneMove(ctx, tx, s, codes, dice[i], c, &mine[i])
					}); err != nil {
						t.Errorf("caller %d: %v", i, err)
						return
					}
				}
			})
			recount(t, db)
			missing = notYet(t, db)
		}
		if len(missing) > 0 {
			t.Errorf("nothing was %v; the race was none", missing)
		}
	})
}

// notYet names the ends that no redemption has come to.
func notYet(t *testing.T, db *sql.DB) (missing []domain.RedemptionState) {
	t.Helper()
	for _, state := range []domain.RedemptionState{domain.RedemptionConfirmed, domain.RedemptionReleased, domain.RedemptionExpired, domain.RedemptionVoided} {
		if count(t, db, `SELECT count(*) FROM redemptions WHERE state = $1`, state) == 0 {
			missing = append(missing, state)
		}
	}
	return missing
}

// oneMove does in one transaction what a till, the sweep or a supervisor does
// in one. mine are the redemptions that this caller has held.
func oneMove(ctx context.Context, tx domain.Tx, s sqltest.Set, codes []domain.PromoCode, dice *rand.Rand, c *clock, mine *[]domain.Redemption) error {
	code := codes[dice.IntN(len(codes))]
	keep := func(r domain.Redemption) error {
		id, ok, err := tx.Hold(ctx, r)
		if r.ID = id; ok {
			*mine = append(*mine, r)
		}
		return err
	}
	move := dice.IntN(20)
	if move < 8 || len(*mine) == 0 {
		c.advance(time.Minute)
		v, err := visitFor(ctx, tx, s, phone(dice.IntN(60)))
		if err != nil {
			return err
		}
		return keep(hold(code, v, c.Now()))
	}
	r := (*mine)[dice.IntN(len(*mine))]
	switch {
	case move < 9: // another code takes the first one's place
		if ok, err := tx.Release(ctx, r.ID, domain.RedemptionReleased, c.Now()); err != nil || !ok {
			return err
		}
		r.PromoCodeID, r.HeldAt, r.HeldUntil = code.ID, c.Now(), c.Now().Add(15*time.Minute)
		return keep(r)
	case move < 13: // a purchase, which may void the very code it was made with
		if _, err := tx.Confirm(ctx, r.ID, c.Now()); err != nil || move < 12 {
			return err
		}
		return tx.SetPromoState(ctx, r.PromoCodeID, domain.PromoActive)
	case move < 14: // a purchase is taken back; every other code loses the use
		_, err := tx.VoidRedemption(ctx, r.ID, r.PromoCodeID%2 == 0, c.Now())
		return err
	case move < 15:
		_, err := tx.Release(ctx, r.ID, domain.RedemptionReleased, c.Now())
		return err
	case move < 18:
		ids, err := tx.ExpiredHolds(ctx, c.Now(), 10)
		if err != nil || len(ids) == 0 {
			return err
		}
		_, err = tx.Release(ctx, ids[dice.IntN(len(ids))], domain.RedemptionExpired, c.Now())
		return err
	default:
		if err := tx.SetPromoState(ctx, code.ID, domain.PromoFrozen); err != nil {
			return err
		}
		return tx.SetPromoState(ctx, code.ID, domain.PromoActive)
	}
}
