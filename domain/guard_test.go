package domain_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
)

// Each test here is a way in which somebody got around a guard once.

// due sends a message at its time and gives where it stands after.
func (w *world) due(m domain.Message) domain.Message {
	w.t.Helper()
	w.clock.Set(m.DueAt)
	if _, err := w.SendMessage(w.t.Context(), m.ID, false); err != nil {
		w.t.Fatal(err)
	}
	got, err := w.DB.Message(w.t.Context(), m.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) contacted(a domain.Actor, phone string) domain.Visit {
	w.t.Helper()
	v := w.consented(a, true, true)
	return w.must(w.RecordContact(w.t.Context(), a, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"}))
}

const phoneA, phoneB = "+79160000002", "+79160000003"

// A known customer takes the personal-data consent back in a later visit: the
// message of the earlier one must not leave.
func TestWithdrawalReachesEarlierVisits(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.messages(w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase))[0]
		w.clock.Add(5 * time.Minute)
		v := w.verified(w.anna, phoneA)
		w.consent(w.anna, v, false, false)
		if got := w.due(m); got.State != domain.MessageSuppressed || got.Reason != "no_consent" {
			t.Errorf("the message is %s (%s)", got.State, got.Reason)
		}
		c, err := w.DB.Contact(t.Context(), m.ContactID)
		if err != nil || c.Name != "" {
			t.Errorf("the name %q is still kept, %v", c.Name, err)
		}
	})
}

// Anybody can name somebody's number: a yes without the phone's answer does
// not outweigh its owner's no.
func TestUnverifiedYesDoesNotCount(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.messages(w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase))[0]
		w.clock.Add(5 * time.Minute)
		w.consent(w.anna, w.verified(w.anna, phoneA), true, false)
		w.contacted(w.timur, phoneA)
		if got := w.due(m); got.State != domain.MessageSuppressed {
			t.Errorf("the message is %s", got.State)
		}
	})
}

// The phone is taken out of the visit and comes back: what it has answered is
// over, a new code is asked for, and what is promised on the screen is kept.
func TestVerifiedPhoneComesBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.verified(w.anna, phoneA)
		for _, phone := range []string{phoneB, phoneA} {
			v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"}))
			if v.VerifiedAt != nil {
				t.Fatalf("%s is verified without a code", phone)
			}
		}
		w.clock.Add(5 * time.Minute)
		sent := len(w.sms.Sent())
		v = w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		if v.VerifiedAt != nil || len(w.sms.Sent()) != sent+1 {
			t.Fatalf("verified at %v, %d SMS more", v.VerifiedAt, len(w.sms.Sent())-sent)
		}
		v = w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), codePattern.FindString(w.sms.Last(phoneA))))
		if v.VerifiedAt == nil {
			t.Fatal("the phone that has answered is asked again for ever")
		}
		m := w.messages(w.finished(w.anna, v, domain.Purchase))
		if len(m) != 1 {
			t.Fatalf("%d messages", len(m))
		}
		if got := w.due(m[0]); got.State != domain.MessageAccepted {
			t.Errorf("the message is %s (%s)", got.State, got.Reason)
		}
	})
}

// The discount field is typed into the form by hand after a hold ran out and
// the phone was changed to one that is not verified.
func TestRunOutHoldIsNobodyElses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		v := w.verified(w.anna, phoneA)
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(w.Settings.PromoHold)
		if _, err := w.ExpireHolds(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phoneB, Name: "Пётр"}))
		w.must(w.SkipCode(t.Context(), w.anna, v.ID))
		w.must(w.PassPromo(t.Context(), w.anna, v.ID))
		promised := w.set.Programme.FriendDiscount.Of(w.set.Products[0].Price)
		_, err := w.FinishVisit(t.Context(), w.anna, v.ID, domain.OutcomeForm{
			Outcome: domain.Purchase, ProductID: w.set.Products[0].ID, Discount: &promised,
		})
		if domain.KindOf(err) != domain.Conflict || w.promo(code.ID).Used != 0 {
			t.Errorf("%d uses, %v", w.promo(code.ID).Used, err)
		}
	})
}

// A purchase with a number that did not answer changes nothing of its owner.
func TestUnverifiedPurchaseCancelsNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		tried := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Trial)
		v := w.contacted(w.timur, phoneA)
		w.must(w.SkipCode(t.Context(), w.timur, v.ID))
		w.finished(w.timur, v, domain.Purchase)
		if got := w.due(w.messages(tried)[0]); got.State != domain.MessageAccepted {
			t.Errorf("the trial message is %s (%s)", got.State, got.Reason)
		}
	})
}

func TestNoTrialCodeAfterAPurchase(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
		w.clock.Add(5 * time.Minute)
		v := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Trial)
		p, err := w.Promise(t.Context(), v)
		if err != nil || p.Kind != "" || len(w.messages(v)) != 0 {
			t.Errorf("promised %+v, %d messages, %v", p, len(w.messages(v)), err)
		}
	})
}

// Visits of one person that end at the same moment give one code and one
// message between them, and no trial SMS beside a purchase.
func TestVisitsOfOnePersonEndTogether(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const visits = 6
		w.Settings.CodeSendsPerPhone = visits
		var ids []int64
		for range visits {
			v := w.verified(w.anna, phoneA)
			w.must(w.PassPromo(t.Context(), w.anna, v.ID))
			ids = append(ids, v.ID)
			w.clock.Add(5 * time.Minute)
		}
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				o := domain.Purchase
				if i%2 == 1 {
					o = domain.Trial
				}
				_, err := w.FinishVisit(t.Context(), w.anna, id, domain.OutcomeForm{Outcome: o, ProductID: w.set.Products[0].ID})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		standing, codes := map[domain.MessageKind]int{}, map[int64]bool{}
		for _, id := range ids {
			for _, m := range w.messages(domain.Visit{ID: id}) {
				if m.State == domain.MessageScheduled {
					standing[m.Kind]++
				}
				if m.Kind == domain.ReferralMessage {
					codes[m.PromoCodeID] = true
				}
			}
		}
		if standing[domain.ReferralMessage] != 1 || standing[domain.TrialMessage] != 0 || len(codes) != 1 {
			t.Errorf("scheduled %v, %d referral codes", standing, len(codes))
		}
	})
}

// Saving the consents again changes nothing about answers that stand: not
// their time, and not the code that confirmed them.
func TestConsentsSavedAgainKeepTheirProof(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.verified(w.anna, phoneA)
		w.consent(w.anna, v, true, true)
		rows, err := w.DB.VisitConsents(t.Context(), v.ID)
		if err != nil || len(rows) != 2 || rows[0].ChallengeID == nil || rows[1].ChallengeID == nil {
			t.Errorf("%+v, %v", rows, err)
		}
	})
}

// "Apply" on a hold whose time is over must reserve anew, not only say so.
func TestApplyRenewsARunOutHold(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		v := w.verified(w.anna, phoneA)
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(w.Settings.PromoHold + time.Minute)
		held, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code)
		if err != nil || !held.HeldUntil.After(w.clock.Now()) || w.promo(code.ID).Used != 1 {
			t.Errorf("held until %v, %d uses, %v", held.HeldUntil, w.promo(code.ID).Used, err)
		}
	})
}

// Two visits that swap the same two codes back and forth queue for them.
func TestSwappingCodes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		codes := []domain.PromoCode{w.referral("+79160000001"), w.referral("+79160000009")}
		var ids []int64
		for i := range 4 {
			ids = append(ids, w.verified(w.anna, fmt.Sprintf("+7916000001%d", i)).ID)
		}
		var swapped atomic.Int64
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				for n := range 8 {
					_, err := w.ApplyPromo(t.Context(), w.anna, id, codes[(i+n)%2].Code)
					switch {
					case err == nil:
						swapped.Add(1)
					case reason(err) == "":
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		used := w.promo(codes[0].ID).Used + w.promo(codes[1].ID).Used
		if swapped.Load() == 0 || used != 4 {
			t.Errorf("%d swaps, %d uses held, want 4", swapped.Load(), used)
		}
	})
}

// However many guess passwords at once from one address, only as many get
// past its cap as are hashed at a time.
func TestSignInInParallel(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.SignInAttemptsPerAddress = 3
		var judged, limited atomic.Int64
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				_, err := w.SignIn(t.Context(), domain.SignInForm{Login: fmt.Sprintf("guess-%d", i), Password: "password", Address: "192.0.2.1"})
				switch domain.KindOf(err) {
				case domain.Invalid:
					judged.Add(1)
				case domain.Limited:
					limited.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if judged.Load() > 3+domain.HashingAtATime() || limited.Load() == 0 {
			t.Errorf("%d judged, %d limited", judged.Load(), limited.Load())
		}
	})
}

func TestDiscountsSwitchedOff(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.verified(w.anna, phoneA)
		code := w.referral("+79160000001")
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		w.must(w.PassPromo(t.Context(), w.anna, v.ID))
		w.DB = switchedOff{w.DB}
		promised := w.set.Programme.FriendDiscount.Of(w.set.Products[0].Price)
		form := domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID, Discount: &promised}
		if _, err := w.FinishVisit(t.Context(), w.anna, v.ID, form); domain.KindOf(err) != domain.Conflict {
			t.Errorf("a discount that the law forbids: %v", err)
		}
		quotes, _, err := w.Quotes(t.Context(), v)
		if err != nil || quotes[0].Discount != 0 {
			t.Errorf("quoted %+v, %v", quotes[0], err)
		}
		none := int64(0)
		form.Discount = &none
		if v := w.must(w.FinishVisit(t.Context(), w.anna, v.ID, form)); v.Discount != 0 || w.promo(code.ID).Used != 0 {
			t.Errorf("discount %d, %d uses", v.Discount, w.promo(code.ID).Used)
		}
	})
}

// switchedOff is the database with the programme's discounts switched off,
// which no screen can do yet.
type switchedOff struct{ domain.Database }

func off(p domain.Programme, err error) (domain.Programme, error) {
	p.DiscountsOn = false
	return p, err
}

func (d switchedOff) Programme(ctx context.Context, id int64) (domain.Programme, error) {
	return off(d.Database.Programme(ctx, id))
}

func (d switchedOff) InTx(ctx context.Context, f func(context.Context, domain.Tx) error) error {
	return d.Database.InTx(ctx, func(ctx context.Context, tx domain.Tx) error { return f(ctx, switchedOffTx{tx}) })
}

type switchedOffTx struct{ domain.Tx }

func (t switchedOffTx) Programme(ctx context.Context, id int64) (domain.Programme, error) {
	return off(t.Tx.Programme(ctx, id))
}

// A customer whose code was frozen gets no fresh one by buying again.
func TestAFreezeIsNoWayToASecondCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral(phoneA)
		if err := w.FreezePromo(t.Context(), w.vera(), code.ID, "проверяем"); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(5 * time.Minute)
		again := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
		m := w.messages(again)
		if len(m) != 1 || m[0].PromoCodeID != code.ID {
			t.Fatalf("messages %+v", m)
		}
		if got := w.due(m[0]); got.State != domain.MessageSuppressed || got.Reason != "code_dead" {
			t.Errorf("a frozen code is told: %s (%s)", got.State, got.Reason)
		}
	})
}
