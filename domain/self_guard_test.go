package domain_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

// Each test here is a way round a promise that the customer's own page, or a
// code that was put off, has opened.

// A stranger with a photo of a QR asks for SMS all day long. Each is refused,
// and the supervisor still finds the limits that others have met.
func TestRefusalsHideNoOtherLimit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v, code := w.asked(w.anna, phoneB)
		w.wrongTimes(w.anna, v, code, 3)
		w.clock.Add(time.Minute)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		w.wrongTimes(w.anna, v, w.codeOf(phoneB), 2)

		w.Settings.CodeSendsPerPhone = 1
		photographed := w.sentTo(w.anna, phoneA)
		w.clock.Add(time.Minute)
		if err := w.SelfSend(t.Context(), photographed.SelfToken, w.request(), customersAddress); domain.KindOf(err) != domain.Limited {
			t.Fatalf("the stranger's second SMS: %v", err)
		}
		met, err := w.StandingLimits(t.Context(), w.vera())
		if err != nil || len(met) != 2 && len(met) != 3 {
			t.Fatalf("before: %+v, %v", met, err)
		}
		before := len(met)
		attempts, err := w.DB.CodeAttempts(t.Context(), photographed.ID)
		if err != nil {
			t.Fatal(err)
		}
		refused := attempts[len(attempts)-1]
		if refused.LimitMet != domain.LimitSendPhone {
			t.Fatalf("the refusal is on record as %+v", refused)
		}
		err = w.DB.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			for range 501 {
				if err := sqltest.AddAttempt(ctx, tx, refused); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if met, err = w.StandingLimits(t.Context(), w.vera()); err != nil || len(met) != before {
			t.Errorf("%d limits stood, and after a flood of one of them %+v, %v", before, met, err)
		}
	})
}

// What the programme does not give any more is promised to nobody.
func TestNothingIsPromisedOfAProgrammeThatIsOff(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.deferred(phoneA, domain.Purchase)
		w.DB = withoutDiscounts{w.DB}
		if p, err := w.Promise(t.Context(), v); err != nil || p.Why != "programme_off" {
			t.Errorf("the summary promises %+v, %v", p, err)
		}
	})
}

type withoutDiscounts struct{ domain.Database }

func (d withoutDiscounts) Programme(ctx context.Context, id int64) (domain.Programme, error) {
	p, err := d.Database.Programme(ctx, id)
	p.Active = false
	return p, err
}

// The customer took the consents back, and the advisor ticks them again
// without asking. The code that was typed before is no proof of those.
func TestAnOldCodeConfirmsNoLaterConsent(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.verified(w.anna, phoneA)
		w.clock.Add(time.Minute)
		w.consent(w.anna, v, false, false)
		w.clock.Add(time.Minute)
		w.consent(w.anna, v, true, true)
		w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phoneA, Name: "Пётр"}))
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		consents, err := w.DB.VisitConsents(t.Context(), v.ID)
		if err != nil || len(consents) != 6 {
			t.Fatalf("%d consents, %v", len(consents), err)
		}
		for _, c := range consents {
			if c.ChallengeID != nil {
				t.Errorf("the answer of %s (given %v) is confirmed by a code that was typed before", c.At.Format(time.TimeOnly), c.Given)
			}
		}
	})
}

// Whoever has a QR signs in nowhere. Asking again and again is refused, and
// does not fill the books.
func TestRefusalsOfAPageFillNoBooks(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.sentTo(w.anna, phoneA)
		attempts := func() int {
			t.Helper()
			all, err := w.DB.CodeAttempts(t.Context(), v.ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		press := func() {
			t.Helper()
			for range 20 {
				if err := w.SelfSend(t.Context(), v.SelfToken, w.request(), customersAddress); domain.KindOf(err) != domain.Limited {
					t.Fatalf("an SMS too early: %v", err)
				}
			}
		}
		press()
		if n := attempts(); n != 2 {
			t.Errorf("%d rows; expected the SMS and one refusal", n)
		}
		// Wrong codes are each on record: the limits are rebuilt from them.
		for n := range byte(3) {
			_ = w.selfCheck(v, w.wrongFor(phoneA, n+1))
		}
		for range 20 {
			_ = w.selfCheck(v, w.codeOf(phoneA))
		}
		if n := attempts(); n != 6 {
			t.Errorf("%d rows; expected three wrong codes more and one that was not compared", n)
		}
		if found, err := w.RecountLimits(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("%v, %v", found, err)
		}
		// Later it is news again.
		w.clock.Add(19 * time.Second)
		press()
		w.clock.Add(w.Settings.CodeLifetime)
		if err := w.SelfSend(t.Context(), v.SelfToken, w.request(), customersAddress); err != nil {
			t.Fatal(err)
		}
		press()
		if n := attempts(); n != 8 {
			t.Errorf("%d rows; expected an SMS and a refusal more", n)
		}
	})
}

// Somebody types guesses and hangs up each time, the moment that Redis has
// judged. Every guess is on record, or a restart of Redis would give it back.
func TestHangingUpLeavesNoGuessUnrecorded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.contacted(w.anna, phoneA)
		hung := hangsUp{Challenges: w.Challenges}
		w.Challenges = &hung
		request := func() (ctx context.Context) {
			ctx, hung.up = context.WithCancel(t.Context())
			return ctx
		}
		if _, err := w.SendCode(request(), w.anna, v.ID, w.request()); err != nil || w.sms.Last(phoneA) == "" {
			t.Fatalf("the SMS that was counted: %v", err)
		}
		v = w.visit(v.ID)
		if err := w.SelfCheck(request(), v.SelfToken, w.request(), w.wrongFor(phoneA, 1), customersAddress); domain.KindOf(err) != domain.Invalid {
			t.Errorf("a wrong guess: %v", err)
		}
		if found, err := w.RecountLimits(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("%v, %v", found, err)
		}
		if err := w.SelfCheck(request(), v.SelfToken, w.request(), w.codeOf(phoneA), customersAddress); err != nil || w.visit(v.ID).VerifiedAt == nil {
			t.Errorf("the right code: %v", err)
		}
	})
}

// hangsUp ends the request as soon as Redis has carried something out; whoever
// waits for the answer with that request's context does not get it.
type hangsUp struct {
	domain.Challenges
	up context.CancelFunc
}

func (h *hangsUp) Open(ctx context.Context, r domain.OpenRequest) (domain.OpenResult, error) {
	res, err := h.Challenges.Open(ctx, r)
	if err != nil { // the limits are still to be put back
		return res, err
	}
	h.up()
	return res, ctx.Err()
}

func (h *hangsUp) Check(ctx context.Context, r domain.CheckRequest) (domain.CheckResult, error) {
	res, err := h.Challenges.Check(ctx, r)
	h.up()
	return res, errors.Join(err, ctx.Err())
}
