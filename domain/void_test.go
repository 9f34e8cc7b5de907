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

// vera supervises both stores.
func (w *world) vera() domain.Actor { return domain.Actor{Staff: w.set.Supervisor} }

// held takes a visit with a verified phone past the promo step with a code.
func (w *world) held(a domain.Actor, phone string, code domain.PromoCode) domain.Visit {
	w.t.Helper()
	v := w.verified(a, phone)
	if _, err := w.ApplyPromo(w.t.Context(), a, v.ID, code.Code); err != nil {
		w.t.Fatalf("%s applies %s: %v", phone, code.Code, err)
	}
	return w.must(w.PassPromo(w.t.Context(), a, v.ID))
}

// bought ends a visit with a purchase.
func (w *world) bought(a domain.Actor, v domain.Visit) domain.Visit {
	w.t.Helper()
	return w.must(w.FinishVisit(w.t.Context(), a, v.ID, domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID}))
}

// friend buys with a code.
func (w *world) friend(phone string, code domain.PromoCode) domain.Visit {
	w.t.Helper()
	return w.bought(w.anna, w.held(w.anna, phone, code))
}

func (w *world) void(v domain.Visit) domain.Visit {
	w.t.Helper()
	return w.must(w.VoidPurchase(w.t.Context(), w.vera(), v.ID, "Вернули товар"))
}

func (w *world) redemption(v domain.Visit) domain.Redemption {
	w.t.Helper()
	rows, err := w.DB.Redemptions(w.t.Context(), v.ID)
	if err != nil || len(rows) == 0 {
		w.t.Fatalf("redemptions %+v, %v", rows, err)
	}
	return rows[len(rows)-1]
}

// events lists what happened in a visit, in a word each.
func (w *world) events(v domain.Visit) string {
	w.t.Helper()
	rows, err := w.DB.VisitEvents(w.t.Context(), v.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range rows {
		out = append(out, string(e.Kind))
	}
	return strings.Join(out, " ")
}

func TestVoidGivesTheUseBack(t *testing.T) {
	for _, returns := range []bool{true, false} {
		t.Run(fmt.Sprintf("returned=%t", returns), func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				w.Settings.PromoVoidReturnsUse = returns
				code := w.referral("+79160000001")
				v := w.friend(phoneA, code)
				w.clock.Add(time.Hour)
				gone := w.void(v)
				if !gone.Voided() || !gone.VoidedAt.Equal(w.clock.Now()) || *gone.VoidedBy != w.set.Supervisor.ID || gone.VoidReason != "Вернули товар" || gone.Outcome != domain.Purchase {
					t.Errorf("the visit: %+v", gone)
				}
				r := w.redemption(v)
				if r.State != domain.RedemptionVoided || r.UseKept == returns || r.VoidedAt == nil || r.SettledAt == nil {
					t.Errorf("the use: %+v", r)
				}
				if used := w.promo(code.ID).Used; used != map[bool]int{true: 0, false: 1}[returns] {
					t.Errorf("%d uses", used)
				}
				// The phone is free again, whatever became of the use.
				w.friend(phoneA, w.referral("+79160000009"))
			})
		})
	}
}

func TestVoidTakesBackWhatItEarned(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
		m := w.messages(v)[0]
		code := w.promo(m.PromoCodeID)
		confirmed := w.friend(phoneB, code)
		waiting := w.held(w.anna, "+79160000004", code)

		plan, err := w.PlanVoid(t.Context(), w.vera(), v.ID)
		if err != nil || len(plan.Codes) != 1 || plan.Codes[0].ID != code.ID || plan.Codes[0].Held != 1 || plan.Codes[0].Confirmed != 1 ||
			len(plan.Messages) != 1 || plan.Redemption != nil || plan.Standing != nil || plan.GiftFalls {
			t.Errorf("the plan: %+v, %v", plan, err)
		}
		w.void(v)
		if p := w.promo(code.ID); p.State != domain.PromoVoid || p.Used != 2 {
			t.Errorf("the code is %s with %d uses", p.State, p.Used)
		}
		if got := w.messages(v)[0]; got.State != domain.MessageCancelled || got.Reason != "voided" {
			t.Errorf("the message is %s (%s)", got.State, got.Reason)
		}
		if bought, err := w.DB.Bought(t.Context(), v.ProgrammeID, *v.ContactID, 0); err != nil || bought {
			t.Errorf("has bought: %t, %v", bought, err)
		}
		if p, err := w.Promise(t.Context(), w.must(w.OpenVisit(t.Context(), w.anna, v.ID))); err != nil || p.Kind != "" || p.Why != "voided" {
			t.Errorf("promised %+v, %v", p, err)
		}
		// A use that is held was promised at the till; nobody gets a new one.
		late := w.verified(w.anna, "+79160000005")
		if _, err := w.ApplyPromo(t.Context(), w.anna, late.ID, code.Code); reason(err) != domain.ReasonVoid {
			t.Errorf("a void code: %v", err)
		}
		if done := w.bought(w.anna, waiting); done.Discount == 0 {
			t.Error("the held use was lost")
		}
		if r := w.redemption(confirmed); r.State != domain.RedemptionConfirmed {
			t.Errorf("the friend's use is %s", r.State)
		}
		if got := w.events(v); !strings.HasSuffix(got, "outcome voided") {
			t.Errorf("events: %s", got)
		}
		// Without the purchase the customer is one who may try again.
		w.clock.Add(5 * time.Minute)
		if tried := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Trial); len(w.messages(tried)) != 1 {
			t.Error("no trial code after the only purchase was voided")
		}
	})
}

// A code that several purchases share stays as long as one of them does, and
// its customer hears of it, whichever of them goes first.
func TestVoidLeavesASharedCode(t *testing.T) {
	for _, first := range []int{0, 1} {
		t.Run(fmt.Sprintf("purchase %d first", first+1), func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				var visits [2]domain.Visit
				for i := range visits {
					visits[i] = w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
					w.clock.Add(5 * time.Minute)
				}
				m := w.messages(visits[1])[0]
				gone, stays := visits[first], visits[1-first]
				plan, err := w.PlanVoid(t.Context(), w.vera(), gone.ID)
				if err != nil || len(plan.Codes) != 0 || plan.Standing == nil || plan.Standing.ID != stays.ID {
					t.Errorf("the plan: %+v, %v", plan, err)
				}
				w.void(gone)
				if p := w.promo(m.PromoCodeID); p.State != domain.PromoActive {
					t.Fatalf("the code is %s", p.State)
				}
				var scheduled []domain.Message
				for _, v := range visits {
					for _, m := range w.messages(v) {
						if m.State == domain.MessageScheduled {
							scheduled = append(scheduled, m)
						}
					}
				}
				if len(scheduled) != 1 || scheduled[0].VisitID != stays.ID || scheduled[0].PromoCodeID != m.PromoCodeID || !scheduled[0].DueAt.Equal(m.DueAt) {
					t.Errorf("scheduled %+v", scheduled)
				}
				w.void(stays)
				if p := w.promo(m.PromoCodeID); p.State != domain.PromoVoid {
					t.Errorf("no purchase stands, the code is %s", p.State)
				}
				for _, v := range visits {
					for _, m := range w.messages(v) {
						if m.State == domain.MessageScheduled {
							t.Errorf("still to be sent: %+v", m)
						}
					}
				}
			})
		})
	}
}

// Where the setting gives each purchase a code of its own, each falls with its
// own purchase and tells of itself.
func TestOneCodePerPurchase(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.PromoOneLiveCode = false
		var visits [2]domain.Visit
		var codes [2]domain.PromoCode
		for i := range visits {
			visits[i] = w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
			codes[i] = w.promo(w.messages(visits[i])[0].PromoCodeID)
			w.clock.Add(5 * time.Minute)
		}
		if codes[0].ID == codes[1].ID {
			t.Fatal("the second purchase gave no second code")
		}
		if m := w.messages(visits[0])[0]; m.State != domain.MessageScheduled {
			t.Errorf("the first code's message is %s (%s)", m.State, m.Reason)
		}
		w.void(visits[0])
		if a, b := w.promo(codes[0].ID).State, w.promo(codes[1].ID).State; a != domain.PromoVoid || b != domain.PromoActive {
			t.Errorf("the codes are %s and %s", a, b)
		}
		if a, b := w.messages(visits[0]), w.messages(visits[1]); a[0].State != domain.MessageCancelled || len(b) != 1 || b[0].State != domain.MessageScheduled {
			t.Errorf("messages %+v and %+v", a, b)
		}
	})
}

func TestVoidIsRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
		elsewhere := w.vera()
		elsewhere.Stores = []domain.Store{w.set.Ural}
		open, left := w.verified(w.anna, phoneB), w.finished(w.anna, w.verified(w.anna, "+79160000004"), domain.Left)
		for what, c := range map[string]struct {
			actor  domain.Actor
			visit  int64
			reason string
			want   domain.Kind
		}{
			"an advisor":       {w.anna, v.ID, "Вернули товар", domain.NotFound},
			"a foreign store":  {elsewhere, v.ID, "Вернули товар", domain.NotFound},
			"no such visit":    {w.vera(), 1 << 40, "Вернули товар", domain.NotFound},
			"an open visit":    {w.vera(), open.ID, "Вернули товар", domain.Conflict},
			"no purchase":      {w.vera(), left.ID, "Вернули товар", domain.Conflict},
			"no reason":        {w.vera(), v.ID, " \n ", domain.Invalid},
			"a short reason":   {w.vera(), v.ID, " ой ", domain.Invalid},
			"too long":         {w.vera(), v.ID, strings.Repeat("я", 301), domain.Invalid},
			"foreign, planned": {elsewhere, v.ID, "plan", domain.NotFound},
		} {
			var err error
			if c.reason == "plan" {
				_, err = w.PlanVoid(t.Context(), c.actor, c.visit)
			} else {
				_, err = w.VoidPurchase(t.Context(), c.actor, c.visit, c.reason)
			}
			if domain.KindOf(err) != c.want || c.want == domain.Invalid && domain.FieldsOf(err)["reason"].Key == "" {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got := w.must(w.OpenVisit(t.Context(), w.anna, v.ID)); got.Voided() || w.messages(v)[0].State != domain.MessageScheduled {
			t.Errorf("changed all the same: %+v", got)
		}
		admin := domain.Actor{Staff: w.set.Administrator}
		if _, err := w.VoidPurchase(t.Context(), admin, v.ID, strings.Repeat("я", 300)); err != nil {
			t.Errorf("an administrator: %v", err)
		}
	})
}

// Eight presses of the button are one.
func TestVoidTwice(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		v := w.friend(phoneA, code)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				got, err := w.VoidPurchase(t.Context(), w.vera(), v.ID, fmt.Sprintf("Причина номер %d", i))
				if err != nil || !got.Voided() {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if used, events := w.promo(code.ID).Used, w.events(v); used != 0 || strings.Count(events, "voided") != 1 {
			t.Errorf("%d uses, events %s", used, events)
		}
		first := w.must(w.OpenVisit(t.Context(), w.anna, v.ID))
		if again := w.void(v); again.VoidReason != first.VoidReason || !again.VoidedAt.Equal(*first.VoidedAt) {
			t.Errorf("%q became %q", first.VoidReason, again.VoidReason)
		}
	})
}

// A purchase with a number that did not answer was nobody's: taking it back
// changes nothing of whoever owns the number.
func TestVoidOfAnUnverifiedPurchase(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owned := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
		v := w.contacted(w.timur, phoneA)
		w.must(w.SkipCode(t.Context(), w.timur, v.ID))
		v = w.finished(w.timur, v, domain.Purchase)
		w.void(v)
		m := w.messages(owned)[0]
		if p := w.promo(m.PromoCodeID); p.State != domain.PromoActive || m.State != domain.MessageScheduled {
			t.Errorf("the owner's code is %s, the message %s", p.State, m.State)
		}
	})
}

// Tills, sweeps and supervisors at the same few codes: whoever wins, the
// counters are those of the rows, and nobody ends in a deadlock.
func TestVoidAmongTills(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const friends = 9
		var owners, buyers []domain.Visit
		var codes []domain.PromoCode
		for i := range 3 {
			v := w.finished(w.anna, w.verified(w.anna, fmt.Sprintf("+7916000000%d", i)), domain.Purchase)
			owners, codes = append(owners, v), append(codes, w.promo(w.messages(v)[0].PromoCodeID))
		}
		for i := range friends {
			buyers = append(buyers, w.held(w.anna, fmt.Sprintf("+7916000001%d", i), codes[i%3]))
		}
		w.clock.Add(5 * time.Minute)
		for i := range friends { // the owners come back as friends of one another
			buyers = append(buyers, w.verified(w.anna, fmt.Sprintf("+7916000002%d", i)))
		}
		var wg sync.WaitGroup
		var failed atomic.Int64
		check := func(err error) {
			if k := domain.KindOf(err); err != nil && k != domain.Conflict && k != domain.Invalid {
				failed.Add(1)
				t.Error(err)
			}
		}
		for i, v := range buyers {
			wg.Go(func() {
				if i >= friends {
					_, err := w.ApplyPromo(t.Context(), w.anna, v.ID, codes[i%3].Code)
					check(err)
					_, err = w.PassPromo(t.Context(), w.anna, v.ID)
					check(err)
				}
				_, err := w.FinishVisit(t.Context(), w.anna, v.ID, domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID})
				check(err)
				if i%2 == 0 {
					_, err = w.VoidPurchase(t.Context(), w.vera(), v.ID, "Вернули товар")
					check(err)
				}
			})
		}
		for _, v := range owners {
			wg.Go(func() {
				_, err := w.VoidPurchase(t.Context(), w.vera(), v.ID, "Вернули товар")
				check(err)
			})
		}
		wg.Wait()
		for _, p := range codes {
			if now := w.promo(p.ID); now.State != domain.PromoVoid {
				t.Errorf("code %d is %s", p.ID, now.State)
			}
			n, err := w.DB.ConfirmedUses(t.Context(), p.ID)
			if used := w.promo(p.ID).Used; err != nil || used != n {
				t.Errorf("code %d: %d uses are counted, %d confirmed, %v", p.ID, used, n, err)
			}
		}
	})
}
