package sql_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func TestGifts(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, _ *clock) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		var uses []int64
		friend := func() {
			t.Helper()
			uses = append(uses, confirmed(t, db, p, addVisitFor(t, db, s, phone(10+len(uses)))))
		}
		ask := func(f func(ctx context.Context, tx domain.Tx) (bool, error)) (ok bool) {
			t.Helper()
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				ok, err = f(ctx, tx)
				return err
			})
			recount(t, db)
			return ok
		}
		earn := func(when time.Duration) bool {
			t.Helper()
			return ask(func(ctx context.Context, tx domain.Tx) (bool, error) {
				return tx.EarnGift(ctx, domain.Gift{ProgrammeID: s.Programme.ID, OwnerID: p.OwnerID, PromoCodeID: p.ID, EarnedAt: at(when)}, 3)
			})
		}
		revoke := func() bool {
			t.Helper()
			return ask(func(ctx context.Context, tx domain.Tx) (bool, error) {
				return tx.RevokeGift(ctx, p.ID, 3, at(2*time.Hour))
			})
		}
		friend()
		friend()
		if earn(0) || revoke() {
			t.Error("two friends earn or lose a gift")
		}
		_, err := db.GiftOfCode(ctx, p.ID)
		isKind(t, err, domain.NotFound)
		friend()
		if !earn(0) || earn(0) || revoke() {
			t.Error("the third friend earns it never or twice, or it is taken back for nothing")
		}
		want := domain.Gift{ProgrammeID: s.Programme.ID, OwnerID: p.OwnerID, PromoCodeID: p.ID, State: domain.GiftEarned, EarnedAt: at(0)}
		want.ID = must(db.GiftOfCode(ctx, p.ID))(t).ID
		equal(t, "earned", must(db.Gift(ctx, want.ID))(t), want)

		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			_, err := tx.VoidRedemption(ctx, uses[0], false, at(time.Hour))
			if err == nil {
				_, err = tx.RevokeGift(ctx, p.ID, 3, at(2*time.Hour))
			}
			return err
		})
		want.State, want.RevokedAt = domain.GiftRevoked, ptr(at(2*time.Hour))
		equal(t, "revoked", must(db.Gift(ctx, want.ID))(t), want)
		if revoke() || earn(0) {
			t.Error("revoked twice, or earned with two friends")
		}
		visit := addVisitFor(t, db, s, phone(1))
		collect := func(visitID int64) bool {
			t.Helper()
			return ask(func(ctx context.Context, tx domain.Tx) (bool, error) {
				return tx.CollectGift(ctx, want.ID, visitID, at(4*time.Hour))
			})
		}
		if collect(visit.ID) {
			t.Error("a revoked gift was collected")
		}
		friend()
		if !earn(3 * time.Hour) {
			t.Error("not earned again")
		}
		want.State, want.RevokedAt, want.EarnedAt = domain.GiftEarned, nil, at(3*time.Hour)
		equal(t, "earned again", must(db.VisitGifts(ctx, s.Programme.ID, p.OwnerID, visit.ID))(t), []domain.Gift{want})
		if !collect(visit.ID) || collect(visit.ID) {
			t.Error("collected never or twice")
		}
		want.State, want.CollectedAt, want.CollectedVisitID = domain.GiftCollected, ptr(at(4*time.Hour)), &visit.ID
		equal(t, "collected", must(db.VisitGifts(ctx, s.Programme.ID, p.OwnerID, visit.ID))(t), []domain.Gift{want})
		if got := must(db.VisitGifts(ctx, s.Programme.ID, p.OwnerID, visit.ID+1))(t); len(got) != 0 {
			t.Errorf("another visit sees %+v", got)
		}
		voidUse(t, db, uses[1], false)
		if revoke() || earn(0) {
			t.Error("a collected gift is taken back or earned again")
		}
	})
}

// Two tills hand the gift over while a friend's use is taken back: one of the
// three has it.
func TestGiftAtOnce(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, _ *clock) {
		s := sqltest.Fixture(t, db)
		for round := range 5 {
			p := addReferral(t, db, s, phone(round), "000000000"+string(rune('0'+round)))
			var uses [3]int64
			for i := range uses {
				uses[i] = confirmed(t, db, p, addVisitFor(t, db, s, phone(100+10*round+i)))
			}
			do(t, db, func(ctx context.Context, tx domain.Tx) error {
				_, err := tx.EarnGift(ctx, domain.Gift{ProgrammeID: s.Programme.ID, OwnerID: p.OwnerID, PromoCodeID: p.ID, EarnedAt: at(0)}, 3)
				return err
			})
			g := must(db.GiftOfCode(t.Context(), p.ID))(t)
			visit := addVisitFor(t, db, s, phone(round))
			var won atomic.Int32
			together(3, func(i int) {
				err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
					var ok bool
					if i > 0 {
						ok, err = tx.CollectGift(ctx, g.ID, visit.ID, at(0))
					} else if _, err = tx.VoidRedemption(ctx, uses[0], false, at(0)); err == nil {
						ok, err = tx.RevokeGift(ctx, p.ID, 3, at(0))
					}
					if ok {
						won.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
			if won.Load() != 1 {
				t.Errorf("%d have the gift", won.Load())
			}
			recount(t, db)
		}
	})
}
