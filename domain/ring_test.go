package domain_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
)

// owners makes buyers who have a code each and are back at the counter with a
// verified phone.
func (w *world) owners(n int) (codes []domain.PromoCode, visits []domain.Visit) {
	w.t.Helper()
	for i := range n {
		codes = append(codes, w.referral(fmt.Sprintf("+7916000000%d", i)))
	}
	w.clock.Add(5 * time.Minute)
	for i := range n {
		visits = append(visits, w.verified(w.anna, fmt.Sprintf("+7916000000%d", i)))
	}
	return codes, visits
}

func TestRingIsRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		codes, visits := w.owners(4)
		apply := func(friend, owner int) domain.Reason {
			t.Helper()
			_, err := w.ApplyPromo(t.Context(), w.anna, visits[friend].ID, codes[owner].Code)
			if err != nil && reason(err) == "" {
				t.Fatal(err)
			}
			return reason(err)
		}
		// B came through A, C through B, D through C; only held so far.
		for i := 1; i < 4; i++ {
			if why := apply(i, i-1); why != "" {
				t.Fatalf("friend %d: %s", i, why)
			}
		}
		for i := 1; i < 4; i++ {
			if why := apply(0, i); why != domain.ReasonRing {
				t.Errorf("the first of the chain with the code of %d: %q", i, why)
			}
		}
		// Confirmed is as good as held.
		w.must(w.PassPromo(t.Context(), w.anna, visits[2].ID))
		w.bought(w.anna, visits[2])
		if why := apply(0, 3); why != domain.ReasonRing {
			t.Errorf("after the purchase: %q", why)
		}
		// Where a link is taken back there is no ring.
		w.void(visits[2])
		if why := apply(0, 3); why != "" {
			t.Errorf("after the void: %q", why)
		}
		rows, err := w.DB.PromoRefusals(t.Context(), visits[0].ID)
		if err != nil || len(rows) != 4 || rows[0].Reason != domain.ReasonRing {
			t.Errorf("on record: %+v, %v", rows, err)
		}
	})
}

// A hold that ran out and is taken again with the purchase may have become
// the last link of a ring meanwhile.
func TestHoldTakenAgainClosesNoRing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		codes, visits := w.owners(2)
		if _, err := w.ApplyPromo(t.Context(), w.anna, visits[0].ID, codes[1].Code); err != nil {
			t.Fatal(err)
		}
		w.must(w.PassPromo(t.Context(), w.anna, visits[0].ID))
		w.clock.Add(w.Settings.PromoHold)
		if _, err := w.ExpireHolds(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ApplyPromo(t.Context(), w.anna, visits[1].ID, codes[0].Code); err != nil {
			t.Fatal(err)
		}
		promised := w.set.Programme.FriendDiscount.Of(w.set.Products[0].Price)
		_, err := w.FinishVisit(t.Context(), w.anna, visits[0].ID, domain.OutcomeForm{
			Outcome: domain.Purchase, ProductID: w.set.Products[0].ID, Discount: &promised,
		})
		if domain.KindOf(err) != domain.Conflict || w.promo(codes[1].ID).Used != 0 {
			t.Errorf("%d uses, %v", w.promo(codes[1].ID).Used, err)
		}
	})
}

// Everybody of a would-be ring asks at the same moment: all but one get their
// hold.
func TestRingsAtOnce(t *testing.T) {
	for _, n := range []int{2, 3, 4} {
		t.Run(fmt.Sprintf("of %d", n), func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				codes, visits := w.owners(n)
				for range 6 {
					var held, refused atomic.Int64
					var wg sync.WaitGroup
					for i, v := range visits {
						wg.Go(func() {
							switch _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, codes[(i+1)%n].Code); {
							case err == nil:
								held.Add(1)
							case reason(err) == domain.ReasonRing:
								refused.Add(1)
							default:
								t.Error(err)
							}
						})
					}
					wg.Wait()
					if held.Load() != int64(n-1) || refused.Load() != 1 {
						t.Errorf("%d held, %d refused", held.Load(), refused.Load())
					}
					for _, v := range visits {
						w.must(w.ReleasePromo(t.Context(), w.anna, v.ID))
					}
				}
			})
		})
	}
}
