package domain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/domain/domaintest"
	"prilavok/sql"
	"prilavok/sql/sqltest"
	"prilavok/web/redisstore"
)

// world is a service on a real database and the in-process Redis, with only
// the clock and the gateway faked.
type world struct {
	*domain.Service
	t     *testing.T
	set   sqltest.Set
	clock *domaintest.Clock
	sms   *domaintest.SMS
	anna  domain.Actor // Moscow
	timur domain.Actor // Yekaterinburg
	n     int

	redis    *redisstore.Store
	redisURL string
}

func eachWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	clock := domaintest.NewClock(sqltest.Start)
	sqltest.Each(t, func(t *testing.T, db *sql.DB) { f(t, newWorld(t, db, clock)) }, sqltest.WithClock(clock.Now))
}

// newWorld makes a world on a database that reads the same clock.
func newWorld(t *testing.T, db *sql.DB, clock *domaintest.Clock) *world {
	t.Helper()
	clock.Set(sqltest.Start.Add(24 * time.Hour))
	w := &world{t: t, clock: clock, sms: &domaintest.SMS{}, set: sqltest.Fixture(t, db)}
	w.Service = &domain.Service{
		DB: db, Gateways: []domain.Gateway{w.sms.Gateway()}, Clock: clock.Now,
		Secret: []byte("a secret of thirty-two characters"), Settings: domain.DefaultSettings(), SiteURL: "https://shop.example:8443", CallbackURL: "https://shop.example:8443",
	}
	if db.IsPostgres() {
		w.redisURL = os.Getenv("TEST_REDIS_URL")
	}
	w.newRedis()
	w.anna = w.set.Actor(w.set.MoscowAdvisor, w.set.Moscow)
	w.timur = w.set.Actor(w.set.UralAdvisor, w.set.Ural)
	return w
}

// newRedis puts an empty Redis behind the service, as after a loss: the real
// one of TEST_REDIS_URL beside PostgreSQL, otherwise one in this process.
func (w *world) newRedis() {
	w.t.Helper()
	redis, err := redisstore.Open(w.t.Context(), redisstore.Options{
		URL: w.redisURL, Prefix: "test-" + domain.RandomToken(9) + ":", Deadline: time.Minute, ByCaller: true, // a busy machine has time
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx := context.Background() // the test's own is over by now
		if keys, err := redis.Client().Keys(ctx, redis.Prefix()+"*").Result(); err == nil && len(keys) > 0 {
			redis.Client().Del(ctx, keys...)
		}
		_ = redis.Close()
	})
	w.redis = redis
	w.Challenges, w.Limits, w.Throttle = redis.Challenges(), redis.Limits(), redis.Throttle()
	w.SignIns, w.Pacer = redis.SignIns(), redis.Pacer()
}

// must gives a visit or ends the test.
func (w *world) must(v domain.Visit, err error) domain.Visit {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) request() string {
	w.n++
	return fmt.Sprintf("request-%d", w.n)
}

// upTo starts a visit and takes it past the consents.
func (w *world) consented(a domain.Actor, personal, communications bool) domain.Visit {
	w.t.Helper()
	v := w.must(w.StartVisit(w.t.Context(), a, w.request(), "ru"))
	v = w.must(w.RecordAge(w.t.Context(), a, v.ID, domain.AgeNoDoubt, ""))
	return w.consent(a, v, personal, communications)
}

func (w *world) consent(a domain.Actor, v domain.Visit, personal, communications bool) domain.Visit {
	w.t.Helper()
	docs, err := w.ConsentDocuments(w.t.Context(), v)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.must(w.RecordConsents(w.t.Context(), a, v.ID, []domain.ConsentAnswer{
		{DocumentID: docs[0].ID, Given: personal}, {DocumentID: docs[1].ID, Given: communications},
	}))
}

var codePattern = regexp.MustCompile(`^\d{4,6}`)

// verified takes a visit past the code step.
func (w *world) verified(a domain.Actor, phone string) domain.Visit {
	w.t.Helper()
	v := w.consented(a, true, true)
	v = w.must(w.RecordContact(w.t.Context(), a, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"}))
	w.must(w.SendCode(w.t.Context(), a, v.ID, w.request()))
	return w.must(w.CheckCode(w.t.Context(), a, v.ID, w.request(), codePattern.FindString(w.sms.Last(phone))))
}

// finished ends a visit that has no promo code.
func (w *world) finished(a domain.Actor, v domain.Visit, o domain.Outcome) domain.Visit {
	w.t.Helper()
	w.must(w.PassPromo(w.t.Context(), a, v.ID))
	return w.must(w.FinishVisit(w.t.Context(), a, v.ID, domain.OutcomeForm{Outcome: o, ProductID: w.set.Products[0].ID}))
}

// messages are what a visit has caused beside its codes.
func (w *world) messages(v domain.Visit) []domain.Message {
	w.t.Helper()
	m, err := w.DB.VisitMessages(w.t.Context(), v.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.DeleteFunc(m, func(m domain.Message) bool { return m.Channel == domain.CodeChannel })
}

func (w *world) promo(id int64) domain.PromoCode {
	w.t.Helper()
	p, err := w.DB.PromoCodeByID(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// referral makes a buyer and gives their code.
func (w *world) referral(phone string) domain.PromoCode {
	w.t.Helper()
	v := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
	return w.promo(w.messages(v)[0].PromoCodeID)
}

func reason(err error) domain.Reason {
	var r *domain.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// Half past one in the night in Yekaterinburg is still the evening before in
// Moscow: whose birthday it is depends on the store.
func TestAgeCountsOnTheStoresDay(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.clock.Set(time.Date(2026, 11, 22, 20, 30, 0, 0, time.UTC))
		for _, c := range []struct {
			actor domain.Actor
			want  domain.AgeCheck
		}{{w.timur, domain.AgeSeen}, {w.anna, domain.AgeUnder}} {
			v := w.must(w.StartVisit(t.Context(), c.actor, w.request(), "ru"))
			v = w.must(w.RecordAge(t.Context(), c.actor, v.ID, domain.AgeSeen, "23.11.2008"))
			if v.Age != c.want || v.Ended() != (c.want == domain.AgeUnder) {
				t.Errorf("store %d: age %s, ended %v, want %s", v.StoreID, v.Age, v.Ended(), c.want)
			}
		}
	})
}

func TestConsentTakenBackErases(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		v := w.verified(w.anna, "+79160000002")
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		contact := *v.ContactID
		v = w.consent(w.anna, v, false, true)
		if v.ContactID != nil || v.Phone != "" || v.CustomerName != "" || v.VerifiedAt != nil {
			t.Errorf("left in the visit: %+v", v)
		}
		if _, err := w.DB.Contact(t.Context(), contact); !domain.IsNotFound(err) {
			t.Errorf("the contact is still there: %v", err)
		}
		rows, err := w.DB.Redemptions(t.Context(), v.ID)
		if err != nil || len(rows) != 1 || rows[0].State != domain.RedemptionReleased || rows[0].FriendPhone != "" || rows[0].FriendID != 0 {
			t.Errorf("redemptions %+v, %v", rows, err)
		}
		if left := w.promo(code.ID).Left(); left != 3 {
			t.Errorf("%d uses left, want 3", left)
		}
		_, err = w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: "+79160000003", Name: "Пётр"})
		if domain.KindOf(err) != domain.Conflict {
			t.Errorf("a contact without consent: %v", err)
		}
	})
}

func TestWithoutCommunicationsNoCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.consented(w.anna, true, false)
		v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: "+79160000002", Name: "Пётр"}))
		if v.Next() != domain.StepPromo || v.State(domain.StepCode) != domain.StepSkipped {
			t.Errorf("next step %s, code %s", v.Next(), v.State(domain.StepCode))
		}
		if _, err := w.SendCode(t.Context(), w.anna, v.ID, w.request()); domain.KindOf(err) != domain.Conflict {
			t.Errorf("SendCode: %v", err)
		}
		if len(w.sms.Sent()) != 0 {
			t.Errorf("%d SMS", len(w.sms.Sent()))
		}
		if v = w.finished(w.anna, v, domain.Purchase); len(w.messages(v)) != 0 {
			t.Error("a message was scheduled without the consent")
		}
	})
}

func TestTrialThenPurchase(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79160000002"
		tried := w.finished(w.timur, w.verified(w.timur, phone), domain.Trial)
		trial := w.messages(tried)
		if len(trial) != 1 || trial[0].Kind != domain.TrialMessage {
			t.Fatalf("messages %+v", trial)
		}
		// 11:00 in Yekaterinburg is 6:00 UTC.
		want := time.Date(2025, 6, 4, 6, 0, 0, 0, time.UTC)
		if !trial[0].DueAt.Equal(want) {
			t.Errorf("due at %v, want %v", trial[0].DueAt, want)
		}
		w.clock.Add(2 * time.Minute) // the pause between two SMS to one phone
		bought := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
		if got := w.messages(tried)[0]; got.State != domain.MessageCancelled || got.Reason != "purchased" {
			t.Errorf("the trial message is %s (%s)", got.State, got.Reason)
		}
		after := w.messages(bought)
		if len(after) != 1 || after[0].Kind != domain.ReferralMessage {
			t.Fatalf("messages %+v", after)
		}
		// The job of the cancelled message finds nothing to do.
		sent := len(w.sms.Sent())
		w.clock.Set(want.Add(4 * time.Hour))
		if _, err := w.SendMessage(t.Context(), trial[0].ID, false); err != nil || len(w.sms.Sent()) != sent {
			t.Errorf("a cancelled message: %d SMS more, %v", len(w.sms.Sent())-sent, err)
		}
		if again, err := w.SendMessage(t.Context(), after[0].ID, false); err != nil || !again.IsZero() || len(w.sms.Sent()) != sent+1 {
			t.Errorf("the due message: again %v, %v", again, err)
		}
		// At most once, however often the job runs.
		if _, err := w.SendMessage(t.Context(), after[0].ID, false); err != nil || len(w.sms.Sent()) != sent+1 {
			t.Errorf("sent twice, %v", err)
		}
	})
}

func TestMessageHours(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.messages(w.finished(w.timur, w.verified(w.timur, "+79160000002"), domain.Purchase))[0]
		sent := len(w.sms.Sent())
		// Too early; then the program was down until half past nine in the
		// evening at the store.
		for now, want := range map[time.Time]time.Time{
			m.DueAt.Add(-time.Minute):                     m.DueAt,
			time.Date(2025, 6, 4, 16, 30, 0, 0, time.UTC): time.Date(2025, 6, 5, 4, 0, 0, 0, time.UTC),
		} {
			w.clock.Set(now)
			if again, err := w.SendMessage(t.Context(), m.ID, false); err != nil || !again.Equal(want) {
				t.Errorf("at %v: again at %v, %v, want %v", now, again, err, want)
			}
		}
		if len(w.sms.Sent()) != sent {
			t.Error("sent outside of the hours")
		}
		w.clock.Set(time.Date(2025, 6, 5, 4, 0, 0, 0, time.UTC))
		if again, err := w.SendMessage(t.Context(), m.ID, false); err != nil || !again.IsZero() || len(w.sms.Sent()) != sent+1 {
			t.Errorf("again %v, %v", again, err)
		}
	})
}

// What allowed a message when it was scheduled is asked again when it leaves.
func TestMessageSuppressed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79160000002"
		m := w.messages(w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase))[0]
		// The same person comes back and does not want messages any more.
		w.clock.Add(5 * time.Minute)
		w.consent(w.anna, w.verified(w.anna, phone), true, false)
		sent := len(w.sms.Sent())
		w.clock.Set(m.DueAt)
		if _, err := w.SendMessage(t.Context(), m.ID, false); err != nil {
			t.Fatal(err)
		}
		got, err := w.DB.Message(t.Context(), m.ID)
		if err != nil || got.State != domain.MessageSuppressed || got.Reason != "no_consent" || len(w.sms.Sent()) != sent {
			t.Errorf("%s (%s), %d SMS more, %v", got.State, got.Reason, len(w.sms.Sent())-sent, err)
		}
	})
}

// An unverified phone gets nothing, also when it was verified in an earlier
// visit: anybody can name somebody else's number.
func TestVerificationBelongsToItsVisit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79160000002"
		w.finished(w.anna, w.verified(w.anna, phone), domain.Left)
		v := w.consented(w.timur, true, true)
		v = w.must(w.RecordContact(t.Context(), w.timur, v.ID, domain.ContactForm{Phone: phone, Name: "Не тот"}))
		v = w.must(w.SkipCode(t.Context(), w.timur, v.ID))
		if v = w.finished(w.timur, v, domain.Purchase); len(w.messages(v)) != 0 {
			t.Error("a message for a phone that was not verified in this visit")
		}
		c, err := w.DB.Contact(t.Context(), *v.ContactID)
		if err != nil || c.Name != "Пётр" {
			t.Errorf("whoever named the number renamed its contact to %q, %v", c.Name, err)
		}
	})
}

func TestHoldRunsOut(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		v := w.verified(w.anna, "+79160000002")
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		w.must(w.PassPromo(t.Context(), w.anna, v.ID))
		w.clock.Add(w.Settings.PromoHold)
		if n, err := w.ExpireHolds(t.Context()); n != 1 || err != nil {
			t.Fatalf("%d holds expired, %v", n, err)
		}
		if left := w.promo(code.ID).Left(); left != 3 {
			t.Errorf("%d uses left, want 3", left)
		}
		// The customer was promised a discount on the screen; a use is still
		// there, so the sale keeps the promise.
		promised := w.set.Programme.FriendDiscount.Of(w.set.Products[0].Price)
		form := domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID, Discount: &promised}
		done := w.must(w.FinishVisit(t.Context(), w.anna, v.ID, form))
		if done.Discount != promised {
			t.Errorf("discount %d, want %d", done.Discount, promised)
		}
		if p := w.promo(code.ID); p.Used != 1 {
			t.Errorf("%d uses, want 1", p.Used)
		}
		// A second press of the button finds the visit as it is.
		if again := w.must(w.FinishVisit(t.Context(), w.anna, v.ID, form)); again.Discount != promised || len(w.messages(v)) != 1 {
			t.Errorf("finished twice: %+v", again)
		}
	})
}

func TestLostHoldIsTold(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		late := w.verified(w.anna, "+79160000002")
		if _, err := w.ApplyPromo(t.Context(), w.anna, late.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		w.must(w.PassPromo(t.Context(), w.anna, late.ID))
		w.clock.Add(w.Settings.PromoHold)
		for i := range 3 {
			v := w.verified(w.timur, fmt.Sprintf("+7916000001%d", i))
			if _, err := w.ApplyPromo(t.Context(), w.timur, v.ID, code.Code); err != nil {
				t.Fatalf("friend %d: %v", i, err)
			}
		}
		promised := w.set.Programme.FriendDiscount.Of(w.set.Products[0].Price)
		form := domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID, Discount: &promised}
		_, err := w.FinishVisit(t.Context(), w.anna, late.ID, form)
		if domain.KindOf(err) != domain.Conflict {
			t.Fatalf("the sale went through in silence: %v", err)
		}
		if v := w.must(w.OpenVisit(t.Context(), w.anna, late.ID)); v.Ended() {
			t.Error("the visit ended all the same")
		}
		// With the new sum before them, the advisor may go on.
		none := int64(0)
		form.Discount = &none
		if v := w.must(w.FinishVisit(t.Context(), w.anna, late.ID, form)); v.Discount != 0 {
			t.Errorf("discount %d", v.Discount)
		}
		if p := w.promo(code.ID); p.Used != 3 {
			t.Errorf("%d uses, want 3", p.Used)
		}
	})
}

func TestRefusals(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		apply := func(v domain.Visit, typed string) domain.Reason {
			t.Helper()
			_, err := w.ApplyPromo(t.Context(), w.anna, v.ID, typed)
			return reason(err)
		}
		expect := func(what string, got, want domain.Reason) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		setState := func(s domain.PromoState) {
			t.Helper()
			err := w.DB.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error { return tx.SetPromoState(ctx, code.ID, s) })
			if err != nil {
				t.Fatal(err)
			}
		}
		w.clock.Add(5 * time.Minute)
		owner := w.verified(w.anna, "+79160000001")
		expect("own code", apply(owner, code.Code), domain.ReasonOwnCode)

		friend := w.verified(w.anna, "+79160000002")
		typo := []byte(code.Code)
		typo[3] = '0' + (typo[3]-'0'+1)%10
		expect("typo", apply(friend, string(typo)), domain.ReasonTypo)
		expect("too short", apply(friend, "12345"), domain.ReasonMalformed)
		expect("unknown", apply(friend, "5724000000"), domain.ReasonUnknown)
		setState(domain.PromoFrozen)
		expect("frozen", apply(friend, code.Code), domain.ReasonFrozen)
		setState(domain.PromoVoid)
		expect("void", apply(friend, code.Code), domain.ReasonVoid)
		setState(domain.PromoActive)
		expect("good", apply(friend, code.Code), "")
		expect("the same again", apply(friend, code.Code), "")

		unverified := w.consented(w.anna, true, true)
		unverified = w.must(w.RecordContact(t.Context(), w.anna, unverified.ID, domain.ContactForm{Phone: "+79160000003", Name: "Яна"}))
		w.must(w.SkipCode(t.Context(), w.anna, unverified.ID))
		expect("unverified", apply(unverified, code.Code), domain.ReasonUnverified)
		anonymous := w.consented(w.anna, false, false)
		expect("anonymous", apply(anonymous, code.Code), domain.ReasonNoPhone)

		w.must(w.PassPromo(t.Context(), w.anna, friend.ID))
		w.must(w.FinishVisit(t.Context(), w.anna, friend.ID, domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID}))
		other := w.referral("+79160000009")
		w.clock.Add(5 * time.Minute)
		back := w.verified(w.anna, "+79160000002")
		expect("this phone has used one", apply(back, other.Code), domain.ReasonPhoneUsed)

		for i := range 2 {
			v := w.verified(w.anna, fmt.Sprintf("+7916000002%d", i))
			expect("held", apply(v, code.Code), "")
		}
		last := w.verified(w.anna, "+79160000030")
		expect("all held", apply(last, code.Code), domain.ReasonAllHeld)
		w.clock.Add(91 * 24 * time.Hour)
		late := w.verified(w.anna, "+79160000031")
		expect("expired", apply(late, code.Code), domain.ReasonExpired)

		rows, err := w.DB.PromoRefusals(t.Context(), friend.ID)
		if err != nil || len(rows) != 5 {
			t.Errorf("%d refusals on record for the friend's visit, want 5, %v", len(rows), err)
		}
	})
}

// A trial code is its owner's own, and goes once.
func TestTrialCode(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79160000002"
		code := w.promo(w.messages(w.finished(w.anna, w.verified(w.anna, phone), domain.Trial))[0].PromoCodeID)
		if code.Kind != domain.TrialCode || code.MaxUses != 1 {
			t.Fatalf("%+v", code)
		}
		stranger := w.verified(w.anna, "+79160000003")
		if _, err := w.ApplyPromo(t.Context(), w.anna, stranger.ID, code.Code); reason(err) != domain.ReasonNotOwner {
			t.Errorf("a stranger: %v", err)
		}
		w.clock.Add(5 * time.Minute)
		owner := w.verified(w.anna, phone)
		held, err := w.ApplyPromo(t.Context(), w.anna, owner.ID, code.Code)
		if err != nil || held.Discount != w.set.Programme.TrialDiscount {
			t.Errorf("the owner: %+v, %v", held, err)
		}
	})
}

func TestAbandoned(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		v := w.verified(w.anna, "+79160000002")
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(w.Settings.VisitAbandonedAfter)
		if n, err := w.AbandonStaleVisits(t.Context()); n != 0 || err != nil {
			t.Errorf("%d closed at the very moment, %v", n, err)
		}
		w.clock.Add(time.Second)
		if n, err := w.AbandonStaleVisits(t.Context()); n != 1 || err != nil {
			t.Errorf("%d closed, %v", n, err)
		}
		if got := w.must(w.OpenVisit(t.Context(), w.anna, v.ID)); got.Outcome != domain.Abandoned || !got.Ended() {
			t.Errorf("outcome %q", got.Outcome)
		}
		if left := w.promo(code.ID).Left(); left != 3 {
			t.Errorf("%d uses left, want 3", left)
		}
	})
}

// A gateway that refuses costs neither the visit nor, after the pause, the
// code.
func TestGatewayFails(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79160000002"
		v := w.consented(w.anna, true, true)
		v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"}))
		w.sms.Fail(&domain.SMSError{Err: errors.New("no route")})
		if _, err := w.SendCode(t.Context(), w.anna, v.ID, w.request()); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("a refusing gateway: %v", err)
		}
		w.sms.Fail(nil)
		w.clock.Add(30 * time.Second)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		v = w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), codePattern.FindString(w.sms.Last(phone))))
		if v.VerifiedAt == nil {
			t.Error("not verified")
		}
		rows, err := w.DB.CodeAttempts(t.Context(), v.ID)
		if err != nil || len(rows) != 3 || rows[0].Verdict != "failed" || rows[1].Verdict != "send" || rows[2].Verdict != "right" {
			t.Errorf("attempts %+v, %v", rows, err)
		}
	})
}

// A changed phone is another person: nothing of the first one carries over.
func TestPhoneChanged(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		v := w.verified(w.anna, "+79160000002")
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); err != nil {
			t.Fatal(err)
		}
		v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: "+79160000003", Name: "Пётр"}))
		if v.VerifiedAt != nil || v.Next() != domain.StepCode || w.promo(code.ID).Used != 0 {
			t.Errorf("verified %v, next %s, used %d", v.VerifiedAt, v.Next(), w.promo(code.ID).Used)
		}
		// The same number in another spelling changes nothing.
		v = w.verified(w.anna, "+79160000004")
		v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: "8 (916) 000-00-04", Name: "Пётр Ильич"}))
		if v.VerifiedAt == nil || v.CustomerName != "Пётр Ильич" {
			t.Errorf("a respelt phone lost its verification: %+v", v)
		}
	})
}
