package domain_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
)

const giftOwner = "+79160000001"

// gift gives the gift of a code; none has no state.
func (w *world) gift(code domain.PromoCode) domain.Gift {
	w.t.Helper()
	g, err := w.DB.GiftOfCode(w.t.Context(), code.ID)
	if err != nil && !domain.IsNotFound(err) {
		w.t.Fatal(err)
	}
	return g
}

// giftMessages lists the messages about a gift that these visits caused.
func (w *world) giftMessages(visits ...domain.Visit) (out []domain.Message) {
	w.t.Helper()
	for _, v := range visits {
		for _, m := range w.messages(v) {
			if m.Kind == domain.GiftMessage {
				out = append(out, m)
			}
		}
	}
	return out
}

// threeFriends buy with a code, one after the other.
func (w *world) threeFriends(code domain.PromoCode) (visits []domain.Visit) {
	w.t.Helper()
	for i := range 3 {
		visits = append(visits, w.friend(fmt.Sprintf("+7916000001%d", i), code))
	}
	return visits
}

// back brings the owner of a gift to a store, with the phone verified.
func (w *world) back(a domain.Actor) domain.Visit {
	w.t.Helper()
	w.clock.Add(5 * time.Minute)
	return w.verified(a, giftOwner)
}

func TestThirdFriendEarnsAGift(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral(giftOwner)
		first := []domain.Visit{w.friend("+79160000010", code), w.friend("+79160000011", code)}
		if g := w.gift(code); g.ID != 0 || len(w.giftMessages(first...)) != 0 {
			t.Fatalf("a gift for two friends: %+v", g)
		}
		third := w.bought(w.timur, w.held(w.timur, "+79160000012", code))
		g := w.gift(code)
		if g.State != domain.GiftEarned || g.OwnerID != code.OwnerID || !g.EarnedAt.Equal(w.clock.Now()) {
			t.Fatalf("the gift: %+v", g)
		}
		m := w.giftMessages(third)
		// 11:00 of the next day in Yekaterinburg, where the third friend bought.
		if len(m) != 1 || m[0].Phone != giftOwner || !m[0].DueAt.Equal(time.Date(2025, 6, 4, 6, 0, 0, 0, time.UTC)) {
			t.Fatalf("messages: %+v", m)
		}
		if events := w.events(third); strings.Count(events, "gift_earned") != 1 {
			t.Errorf("events: %s", events)
		}
		// The friend's own summary is silent about somebody else's gift.
		if p, err := w.Promise(t.Context(), third); err != nil || p.Kind != domain.ReferralMessage {
			t.Errorf("promised %+v, %v", p, err)
		}
		// The code is used up, and that is why the message is sent.
		if got := w.due(m[0]); got.State != domain.MessageAccepted {
			t.Errorf("the message is %s (%s)", got.State, got.Reason)
		}
		for _, word := range []string{"Тест", domain.FormatPromoCode(code.Code), "чехол"} {
			if text := w.sms.Last(giftOwner); !strings.Contains(text, word) {
				t.Errorf("%q does not say %q", text, word)
			}
		}
	})
}

func TestGiftIsCollectedOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral(giftOwner)
		third := w.threeFriends(code)[2]
		g := w.gift(code)
		w.clock.Add(5 * time.Minute)
		v := w.contacted(w.timur, giftOwner)
		if gifts, err := w.Gifts(t.Context(), v); err != nil || len(gifts) != 0 {
			t.Errorf("shown to whoever names the number: %+v, %v", gifts, err)
		}
		if _, err := w.CollectGift(t.Context(), w.timur, v.ID, g.ID); domain.KindOf(err) != domain.Conflict {
			t.Errorf("collected without an answer of the phone: %v", err)
		}
		other := w.verified(w.timur, phoneB)
		if _, err := w.CollectGift(t.Context(), w.timur, other.ID, g.ID); !domain.IsNotFound(err) {
			t.Errorf("collected by somebody else: %v", err)
		}
		if _, err := w.CollectGift(t.Context(), w.timur, other.ID, 1<<40); !domain.IsNotFound(err) {
			t.Errorf("collected something that is not: %v", err)
		}
		v = w.back(w.anna)
		if gifts, err := w.Gifts(t.Context(), v); err != nil || len(gifts) != 1 || gifts[0].ID != g.ID || gifts[0].Collected() || gifts[0].Title.In("en") != "a case" {
			t.Fatalf("gifts: %+v, %v", gifts, err)
		}
		if _, err := w.CollectGift(t.Context(), w.timur, v.ID, g.ID); !domain.IsNotFound(err) {
			t.Errorf("collected in another advisor's visit: %v", err)
		}
		for range 2 { // a double tap
			w.must(w.CollectGift(t.Context(), w.anna, v.ID, g.ID))
		}
		got := w.gift(code)
		if got.State != domain.GiftCollected || *got.CollectedVisitID != v.ID || !got.CollectedAt.Equal(w.clock.Now()) {
			t.Errorf("the gift: %+v", got)
		}
		if events := w.events(v); strings.Count(events, "gift_collected") != 1 {
			t.Errorf("events: %s", events)
		}
		// Who holds it needs no message that it waits.
		if m := w.giftMessages(third)[0]; m.State != domain.MessageCancelled || m.Reason != "gift_collected" {
			t.Errorf("the message is %s (%s)", m.State, m.Reason)
		}
		again := w.back(w.anna)
		if gifts, err := w.Gifts(t.Context(), again); err != nil || len(gifts) != 0 {
			t.Errorf("still waiting: %+v, %v", gifts, err)
		}
		if _, err := w.CollectGift(t.Context(), w.anna, again.ID, g.ID); domain.KindOf(err) != domain.Conflict {
			t.Errorf("collected twice: %v", err)
		}
		if gifts, err := w.Gifts(t.Context(), w.finished(w.anna, v, domain.Left)); err != nil || len(gifts) != 1 || !gifts[0].Collected() {
			t.Errorf("the visit's own: %+v, %v", gifts, err)
		}
	})
}

// One of the three is taken back: the gift goes, and a fourth friend brings it
// back, as the same one.
func TestVoidTakesTheGiftBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral(giftOwner)
		visits := w.threeFriends(code)
		plan, err := w.PlanVoid(t.Context(), w.vera(), visits[0].ID)
		if err != nil || !plan.GiftFalls || plan.Redemption == nil || plan.UseKept {
			t.Errorf("the plan: %+v, %v", plan, err)
		}
		earned := w.gift(code)
		w.void(visits[0])
		if g := w.gift(code); g.ID != earned.ID || g.State != domain.GiftRevoked || g.RevokedAt == nil {
			t.Errorf("the gift: %+v", g)
		}
		if m := w.giftMessages(visits...); len(m) != 1 || m[0].State != domain.MessageCancelled || m[0].Reason != "gift_gone" {
			t.Errorf("messages: %+v", m)
		}
		if events := w.events(visits[0]); strings.Count(events, "gift_revoked") != 1 {
			t.Errorf("events: %s", events)
		}
		v := w.back(w.anna)
		if _, err := w.CollectGift(t.Context(), w.anna, v.ID, earned.ID); domain.KindOf(err) != domain.Conflict {
			t.Errorf("a revoked gift: %v", err)
		}
		fourth := w.friend("+79160000013", code)
		if g := w.gift(code); g.ID != earned.ID || g.State != domain.GiftEarned || g.RevokedAt != nil {
			t.Errorf("the gift: %+v", g)
		}
		w.must(w.CollectGift(t.Context(), w.anna, v.ID, earned.ID))
		// What is handed over stays, and is not earned a second time.
		w.void(fourth)
		w.friend("+79160000014", code)
		if g := w.gift(code); g.State != domain.GiftCollected {
			t.Errorf("the gift: %+v", g)
		}
	})
}

// The third friend's hold ran out at the till and is taken again with the
// purchase: the gift is the owner's all the same.
func TestHoldTakenAgainEarnsAGift(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral(giftOwner)
		w.friend("+79160000010", code)
		w.friend("+79160000011", code)
		third := w.held(w.anna, "+79160000012", code)
		w.clock.Add(w.Settings.PromoHold)
		if n, err := w.ExpireHolds(t.Context()); n != 1 || err != nil {
			t.Fatalf("%d holds expired, %v", n, err)
		}
		promised := w.set.Programme.FriendDiscount.Of(w.set.Products[0].Price)
		w.must(w.FinishVisit(t.Context(), w.anna, third.ID, domain.OutcomeForm{
			Outcome: domain.Purchase, ProductID: w.set.Products[0].ID, Discount: &promised,
		}))
		if g := w.gift(code); g.State != domain.GiftEarned || g.OwnerID != code.OwnerID {
			t.Errorf("the gift: %+v", g)
		}
	})
}

// With the use kept there can be no third friend any more.
func TestKeptUseCountsForNoGift(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.PromoVoidReturnsUse = false
		code := w.referral(giftOwner)
		w.void(w.friend("+79160000010", code))
		w.friend("+79160000011", code)
		w.friend("+79160000012", code)
		if g := w.gift(code); g.ID != 0 || w.promo(code.ID).Left() != 0 {
			t.Errorf("the gift: %+v, %d uses left", g, w.promo(code.ID).Left())
		}
	})
}

// What allowed the message is asked again when it leaves.
func TestGiftMessageSuppressed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral(giftOwner)
		m := w.giftMessages(w.threeFriends(code)...)[0]
		w.consent(w.anna, w.back(w.anna), true, false)
		if got := w.due(m); got.State != domain.MessageSuppressed || got.Reason != "no_consent" {
			t.Errorf("the message is %s (%s)", got.State, got.Reason)
		}
	})
}

// Three friends pay at three tills at the same moment.
func TestThreeFriendsAtOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral(giftOwner)
		var visits []domain.Visit
		for i := range 3 {
			visits = append(visits, w.held(w.anna, fmt.Sprintf("+7916000001%d", i), code))
		}
		var wg sync.WaitGroup
		for _, v := range visits {
			wg.Go(func() {
				_, err := w.FinishVisit(t.Context(), w.anna, v.ID, domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if g, m := w.gift(code), w.giftMessages(visits...); g.State != domain.GiftEarned || len(m) != 1 {
			t.Errorf("the gift: %+v, %d messages", g, len(m))
		}
	})
}

// The owner collects at two tills while a friend's purchase is voided: one of
// them wins, and the rows say which.
func TestCollectAgainstVoid(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for round := range 4 {
			w.clock.Add(time.Hour)
			owner := fmt.Sprintf("+7916000010%d", round)
			code := w.referral(owner)
			var visits, tills []domain.Visit
			for i := range 3 {
				visits = append(visits, w.friend(fmt.Sprintf("+791600002%d%d", round, i), code))
			}
			g := w.gift(code)
			for range 2 {
				w.clock.Add(5 * time.Minute)
				tills = append(tills, w.verified(w.anna, owner))
			}
			var collected, refused atomic.Int64
			var wg sync.WaitGroup
			for _, v := range tills {
				wg.Go(func() {
					switch _, err := w.CollectGift(t.Context(), w.anna, v.ID, g.ID); {
					case err == nil:
						collected.Add(1)
					case domain.KindOf(err) == domain.Conflict:
						refused.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Go(func() {
				if _, err := w.VoidPurchase(t.Context(), w.vera(), visits[1].ID, "Вернули товар"); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			want := map[int64]domain.GiftState{0: domain.GiftRevoked, 1: domain.GiftCollected}[collected.Load()]
			if state := w.gift(code).State; state != want || collected.Load()+refused.Load() != 2 {
				t.Errorf("collected %d times, refused %d times, the gift is %s", collected.Load(), refused.Load(), state)
			}
		}
	})
}
