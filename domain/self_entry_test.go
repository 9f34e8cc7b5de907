package domain_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
)

const customersAddress = "198.51.100.7"

// sentTo brings a visit to the code step and sends a code.
func (w *world) sentTo(a domain.Actor, phone string) domain.Visit {
	w.t.Helper()
	return w.must(w.SendCode(w.t.Context(), a, w.contacted(a, phone).ID, w.request()))
}

func (w *world) codeOf(phone string) string { return codePattern.FindString(w.sms.Last(phone)) }

// wrongFor is a code that is not the phone's; n tells several apart.
func (w *world) wrongFor(phone string, n byte) string {
	code := []byte(w.codeOf(phone))
	code[0] = '0' + (code[0]-'0'+n)%10
	return string(code)
}

func (w *world) selfCheck(v domain.Visit, typed string) error {
	return w.SelfCheck(w.t.Context(), v.SelfToken, w.request(), typed, customersAddress)
}

func (w *world) visit(id int64) domain.Visit {
	w.t.Helper()
	return w.must(w.DB.Visit(w.t.Context(), id))
}

// happened gives the details of a visit's events of a kind.
func (w *world) happened(v domain.Visit, kind domain.EventKind) (details []string) {
	w.t.Helper()
	events, err := w.DB.VisitEvents(w.t.Context(), v.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == kind {
			details = append(details, e.Detail)
		}
	}
	return details
}

func TestSelfEntry(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if v := w.contacted(w.anna, phoneA); v.SelfToken != "" || w.SelfURL(v) != "" {
			t.Errorf("a page before the first SMS: %q", w.SelfURL(v))
		}
		v := w.sentTo(w.anna, phoneA)
		if v.SelfToken == "" || v.SelfToken != w.visit(v.ID).SelfToken || w.SelfURL(v) != "https://shop.example:8443/c/"+v.SelfToken {
			t.Fatalf("token %q, kept %q, address %s", v.SelfToken, w.visit(v.ID).SelfToken, w.SelfURL(v))
		}
		w.clock.Add(30 * time.Second)
		if again := w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request())); again.SelfToken != v.SelfToken {
			t.Error("a resend changed the QR that the customer has scanned")
		}
		page, err := w.SelfEntry(t.Context(), v.SelfToken, customersAddress)
		if err != nil || page.Visit.ID != v.ID || page.Store.ID != w.set.Moscow.ID || page.Brand != "Тест" || !page.State.Live {
			t.Errorf("the page: %+v, %v", page, err)
		}
		if err := w.selfCheck(v, ""); domain.FieldsOf(err)["code"].Key != "code.empty" {
			t.Errorf("an empty field: %v", err)
		}
		if err := w.selfCheck(v, w.wrongFor(phoneA, 1)); domain.FieldsOf(err)["code"].Key != "code.wrong" {
			t.Errorf("a wrong code: %v", err)
		}
		w.clock.Add(time.Second)
		if err := w.selfCheck(v, w.codeOf(phoneA)); err != nil {
			t.Fatal(err)
		}
		got := w.visit(v.ID)
		if got.VerifiedAt == nil || !got.VerifiedAt.Equal(w.clock.Now()) || !got.TouchedAt.Equal(w.clock.Now()) {
			t.Errorf("verified %v, touched %v", got.VerifiedAt, got.TouchedAt)
		}
		if d := w.happened(v, domain.EventVerified); len(d) != 1 || d[0] != "self" {
			t.Errorf("events %q", d)
		}
		attempts, err := w.DB.CodeAttempts(t.Context(), v.ID)
		if err != nil {
			t.Fatal(err)
		}
		var entries []string
		for _, at := range attempts {
			entries = append(entries, string(at.Kind)+" "+string(at.Entry)+" "+at.Verdict)
			if at.StaffID != w.anna.ID || at.StoreID != w.set.Moscow.ID {
				t.Errorf("the attempt is on record of %d at %d", at.StaffID, at.StoreID)
			}
		}
		if want := "send advisor send, send advisor send, check self wrong, check self right"; strings.Join(entries, ", ") != want {
			t.Errorf("attempts %q, want %q", entries, want)
		}
		consents, err := w.DB.VisitConsents(t.Context(), v.ID)
		if err != nil || consents[0].ChallengeID == nil {
			t.Errorf("the consents are not confirmed: %+v, %v", consents, err)
		}
		// Once more changes nothing and is no fault.
		if err := w.selfCheck(v, "0000"); err != nil {
			t.Error(err)
		}
		// What the advisor does then is what it always was.
		if m := w.messages(w.finished(w.anna, got, domain.Purchase)); len(m) != 1 {
			t.Errorf("%d messages", len(m))
		}
	})
}

// The page may be in the advisor's own hand: it gives no guess more.
func TestSelfEntrySpendsTheSameBudgets(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.sentTo(w.anna, phoneA)
		for n := range byte(2) {
			if err := w.selfCheck(v, w.wrongFor(phoneA, n+1)); domain.KindOf(err) != domain.Invalid {
				t.Fatalf("guess %d: %v", n, err)
			}
		}
		_, err := w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.wrongFor(phoneA, 3))
		if domain.FieldsOf(err)["code"].Key != "code.locked" {
			t.Errorf("the third guess, by the advisor: %v", err)
		}
		if err := w.selfCheck(v, w.codeOf(phoneA)); err == nil {
			t.Error("the right code after three wrong ones")
		}
		// A new code through the page leaves two of the day's five.
		w.clock.Add(time.Minute)
		if err := w.SelfSend(t.Context(), v.SelfToken, w.request(), customersAddress); err != nil {
			t.Fatal(err)
		}
		if err := w.selfCheck(v, w.wrongFor(phoneA, 1)); domain.KindOf(err) != domain.Invalid {
			t.Errorf("the fourth guess: %v", err)
		}
		_, err = w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.wrongFor(phoneA, 2))
		if domain.KindOf(err) != domain.Limited {
			t.Errorf("the fifth guess: %v", err)
		}
		// The customer is not told of advisors and their budgets.
		err = w.selfCheck(v, w.codeOf(phoneA))
		if domain.KindOf(err) != domain.Limited || !strings.HasPrefix(err.Error(), "self.limited") {
			t.Errorf("the sixth guess: %v", err)
		}
		if w.visit(v.ID).VerifiedAt != nil {
			t.Error("verified all the same")
		}
	})
}

// The old QR belongs to the holder of the phone that it was shown for.
func TestSelfTokenGoesWithThePhone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		old := w.sentTo(w.anna, phoneA)
		code := w.codeOf(phoneA)
		w.must(w.DeferCode(t.Context(), w.anna, old.ID))
		v := w.must(w.RecordContact(t.Context(), w.anna, old.ID, domain.ContactForm{Phone: phoneB, Name: "Яна"}))
		if v.SelfToken != "" || v.CodeDeferred {
			t.Errorf("token %q, deferred %v", v.SelfToken, v.CodeDeferred)
		}
		if err := w.selfCheck(old, code); !domain.IsNotFound(err) {
			t.Errorf("the old page before a new one: %v", err)
		}
		v = w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		if v.SelfToken == "" || v.SelfToken == old.SelfToken {
			t.Errorf("token %q after %q", v.SelfToken, old.SelfToken)
		}
		if err := w.selfCheck(old, w.codeOf(phoneB)); !domain.IsNotFound(err) {
			t.Errorf("the old page beside the new one: %v", err)
		}
		// The consent goes, and the page with it.
		w.consent(w.anna, v, true, false)
		if err := w.selfCheck(v, w.codeOf(phoneB)); !domain.IsNotFound(err) {
			t.Errorf("without a consent to messages: %v", err)
		}
	})
}

// The phone is changed while the customer's check is on its way: what Redis
// has judged is not put down for the other phone.
func TestSelfCheckMeetsAChangedPhone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.sentTo(w.anna, phoneA)
		code := w.codeOf(phoneA)
		w.DB = afterToken{w.DB, func() {
			w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phoneB, Name: "Яна"}))
			w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		}}
		if err := w.selfCheck(v, code); !domain.IsNotFound(err) {
			t.Errorf("the check: %v", err)
		}
		if got := w.visit(v.ID); got.VerifiedAt != nil || got.Phone != phoneB {
			t.Errorf("verified %v, phone %s", got.VerifiedAt, got.Phone)
		}
	})
}

// afterToken does something right after the page's visit was read.
type afterToken struct {
	domain.Database
	then func()
}

func (d afterToken) VisitByToken(ctx context.Context, token string) (domain.Visit, error) {
	v, err := d.Database.VisitByToken(ctx, token)
	d.then()
	return v, err
}

func TestSelfEntryCompulsory(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		admin := domain.Actor{Staff: w.set.Administrator}
		for _, a := range []domain.Actor{w.anna, {Staff: w.set.Supervisor}, {}} {
			if err := w.SetSelfEntry(t.Context(), a, w.set.Moscow.ID, true); domain.KindOf(err) != domain.Forbidden {
				t.Errorf("%s sets a store: %v", a.Role, err)
			}
			if _, err := w.AllStores(t.Context(), a); domain.KindOf(err) != domain.Forbidden {
				t.Errorf("%s lists the stores: %v", a.Role, err)
			}
		}
		if err := w.SetSelfEntry(t.Context(), admin, 999, true); !domain.IsNotFound(err) {
			t.Errorf("no store: %v", err)
		}
		if err := w.SetSelfEntry(t.Context(), admin, w.set.Moscow.ID, true); err != nil {
			t.Fatal(err)
		}
		staff, err := w.DB.StaffByID(t.Context(), w.anna.ID) // as every request does
		if err != nil {
			t.Fatal(err)
		}
		anna := w.set.Actor(staff, w.set.Moscow)
		v := w.sentTo(anna, phoneA)
		if text := w.sms.Last(phoneA); strings.Contains(text, "консультант") || !strings.Contains(text, "в своём телефоне") {
			t.Errorf("the SMS says %q", text)
		}
		_, err = w.CheckCode(t.Context(), anna, v.ID, w.request(), w.codeOf(phoneA))
		if domain.KindOf(err) != domain.Conflict || w.visit(v.ID).VerifiedAt != nil {
			t.Errorf("the advisor typed it: %v", err)
		}
		if err := w.selfCheck(v, w.codeOf(phoneA)); err != nil || w.visit(v.ID).VerifiedAt == nil {
			t.Errorf("the customer typed it: %v", err)
		}
		// The other store is as it was.
		w.verified(w.timur, phoneB)
	})
}

// deferred ends a visit whose customer verifies later.
func (w *world) deferred(phone string, o domain.Outcome) domain.Visit {
	w.t.Helper()
	v := w.sentTo(w.anna, phone)
	w.must(w.DeferCode(w.t.Context(), w.anna, v.ID))
	return w.finished(w.anna, v, o)
}

func TestDeferredVerification(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.deferred(phoneA, domain.Purchase)
		if !v.CodeDeferred || v.State(domain.StepCode) != domain.StepSkipped || len(w.messages(v)) != 0 {
			t.Errorf("deferred %v, step %s, %d messages", v.CodeDeferred, v.State(domain.StepCode), len(w.messages(v)))
		}
		if p, err := w.Promise(t.Context(), v); err != nil || p.Why != "deferred" {
			t.Errorf("the summary promises %+v, %v", p, err)
		}
		w.clock.Add(w.Settings.CodeLater - time.Minute)
		if err := w.SelfSend(t.Context(), v.SelfToken, w.request(), customersAddress); err != nil {
			t.Fatal(err)
		}
		if text := w.sms.Last(phoneA); strings.Contains(text, "консультант") {
			t.Errorf("days later the SMS says %q", text)
		}
		if err := w.selfCheck(v, w.codeOf(phoneA)); err != nil {
			t.Fatal(err)
		}
		got := w.visit(v.ID)
		if c, err := w.DB.Contact(t.Context(), *got.ContactID); err != nil || c.Name != "Пётр" {
			t.Errorf("the contact is called %q, %v", c.Name, err)
		}
		if got.VerifiedAt == nil || !got.TouchedAt.Equal(v.TouchedAt) || !got.EndedAt.Equal(*v.EndedAt) {
			t.Errorf("verified %v, touched %v, ended %v", got.VerifiedAt, got.TouchedAt, got.EndedAt)
		}
		m := w.messages(got)
		if len(m) != 1 || m[0].Kind != domain.ReferralMessage || !m[0].DueAt.Equal(w.NextDayAt(w.set.Moscow, w.clock.Now())) {
			t.Fatalf("messages %+v", m)
		}
		if sent := w.due(m[0]); sent.State != domain.MessageAccepted {
			t.Errorf("the message is %s (%s)", sent.State, sent.Reason)
		}
	})
}

func TestDeferredPageCloses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		late := w.deferred(phoneA, domain.Purchase)
		w.clock.Add(w.Settings.CodeLater)
		if err := w.SelfSend(t.Context(), late.SelfToken, w.request(), customersAddress); !domain.IsNotFound(err) {
			t.Errorf("a minute too late: %v", err)
		}
		if p, err := w.Promise(t.Context(), late); err != nil || p.Why != "not_verified" {
			t.Errorf("the summary promises %+v, %v", p, err)
		}
		skipped := w.sentTo(w.anna, phoneB)
		w.must(w.SkipCode(t.Context(), w.anna, skipped.ID))
		w.finished(w.anna, skipped, domain.Purchase)
		if err := w.selfCheck(skipped, w.codeOf(phoneB)); !domain.IsNotFound(err) {
			t.Errorf("a visit that ended without a deferral: %v", err)
		}
	})
}

// A purchase that a supervisor took back meanwhile causes nothing, and the
// phone is verified all the same.
func TestDeferredAndVoided(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.deferred(phoneA, domain.Purchase)
		err := w.DB.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			v, err := tx.LockVisit(ctx, v.ID)
			if err != nil {
				return err
			}
			now := w.clock.Now()
			v.VoidedAt, v.VoidedBy, v.VoidReason = &now, &w.set.Supervisor.ID, "ошиблись чеком"
			return tx.SaveVisit(ctx, v)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.selfCheck(v, w.codeOf(phoneA)); err != nil || w.visit(v.ID).VerifiedAt == nil {
			t.Errorf("not verified: %v", err)
		}
		if m := w.messages(v); len(m) != 0 {
			t.Errorf("messages %+v", m)
		}
	})
}

// Deferred and verified while the visit is open: simply verified.
func TestDeferredButVerifiedInTime(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.sentTo(w.anna, phoneA)
		v = w.must(w.DeferCode(t.Context(), w.anna, v.ID))
		w.must(w.DeferCode(t.Context(), w.anna, v.ID)) // a double tap
		if err := w.selfCheck(v, w.codeOf(phoneA)); err != nil {
			t.Fatal(err)
		}
		v = w.visit(v.ID)
		if v.State(domain.StepCode) != domain.StepDone || len(w.messages(v)) != 0 {
			t.Errorf("step %s, %d messages before the end", v.State(domain.StepCode), len(w.messages(v)))
		}
		m := w.messages(w.finished(w.anna, v, domain.Purchase))
		if len(m) != 1 {
			t.Errorf("%d messages", len(m))
		}
		if d := w.happened(v, domain.EventCodeDeferred); len(d) != 1 || d[0] != "1" {
			t.Errorf("events %q", d)
		}
	})
}

// Somebody who took the consent back in a later visit does not get their name
// back into our books, nor a message, by verifying the earlier one.
func TestDeferredAfterWithdrawal(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.deferred(phoneA, domain.Purchase)
		w.clock.Add(time.Hour)
		later := w.verified(w.anna, phoneA)
		w.consent(w.anna, later, false, false)
		w.clock.Add(time.Hour)
		if err := w.SelfSend(t.Context(), v.SelfToken, w.request(), customersAddress); err != nil {
			t.Fatal(err)
		}
		if err := w.selfCheck(v, w.codeOf(phoneA)); err != nil {
			t.Fatal(err)
		}
		c, err := w.DB.Contact(t.Context(), *w.visit(v.ID).ContactID)
		if err != nil || c.Name != "" {
			t.Errorf("the name is %q, %v", c.Name, err)
		}
		for _, m := range w.messages(v) {
			if got := w.due(m); got.State != domain.MessageSuppressed {
				t.Errorf("the message is %s", got.State)
			}
		}
	})
}

// How many SMS had gone out is on record wherever a visit goes on unverified.
func TestPassedAfterSMS(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.sentTo(w.anna, phoneA)
		for _, pause := range []time.Duration{30 * time.Second, time.Minute} {
			w.clock.Add(pause)
			w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		}
		_, state, err := w.CodeState(t.Context(), w.anna, v, domain.EntryAdvisor)
		if err != nil || !state.Unanswered() {
			t.Errorf("after three SMS: %+v, %v", state, err)
		}
		w.must(w.SkipCode(t.Context(), w.anna, v.ID))
		if d := w.happened(v, domain.EventCodeSkipped); len(d) != 1 || d[0] != "3" {
			t.Errorf("events %q", d)
		}
		// Another phone in the same visit begins anew.
		v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phoneB, Name: "Яна"}))
		w.must(w.SkipCode(t.Context(), w.anna, v.ID))
		if d := w.happened(v, domain.EventCodeSkipped); len(d) != 2 || d[1] != "0" {
			t.Errorf("events %q", d)
		}
	})
}

// Advisor and customer type the right code at the same moment, many times.
func TestSelfAndAdvisorAtOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.sentTo(w.anna, phoneA)
		code := w.codeOf(phoneA)
		ids := make([]string, 16)
		for i := range ids {
			ids[i] = w.request()
		}
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() {
				var err error
				if i%2 == 0 {
					err = w.SelfCheck(t.Context(), v.SelfToken, id, code, customersAddress)
				} else {
					_, err = w.CheckCode(t.Context(), w.anna, v.ID, id, code)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if d := w.happened(v, domain.EventVerified); len(d) != 1 {
			t.Errorf("verified %d times", len(d))
		}
	})
}

// The deferred visit is ended and verified at the same moment: what follows
// follows once, whoever comes first.
func TestDeferredAtTheVeryEnd(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for n := range 6 {
			phone := "+7916000010" + string('0'+byte(n))
			v := w.sentTo(w.anna, phone)
			w.must(w.DeferCode(t.Context(), w.anna, v.ID))
			w.must(w.PassPromo(t.Context(), w.anna, v.ID))
			code, id := w.codeOf(phone), w.request()
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := w.SelfCheck(t.Context(), v.SelfToken, id, code, customersAddress); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				_, err := w.FinishVisit(t.Context(), w.anna, v.ID, domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID})
				if err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if m := w.messages(v); len(m) != 1 {
				t.Errorf("round %d: %d messages", n, len(m))
			}
		}
	})
}

// reads counts what is asked of the database outside of transactions, and
// whether one was begun.
type reads struct {
	domain.Database
	byToken, inTx int
}

func (r *reads) VisitByToken(ctx context.Context, token string) (domain.Visit, error) {
	r.byToken++
	return r.Database.VisitByToken(ctx, token)
}

func (r *reads) InTx(ctx context.Context, f func(context.Context, domain.Tx) error) error {
	r.inTx++
	return r.Database.InTx(ctx, f)
}

// Whoever tries addresses learns nothing from the answer or the work done: a
// page that never was, one whose visit ended, one whose time is over and one
// whose phone was changed are the same, whatever is sent to them.
func TestPhoneCode_16_NobodysPage(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		late := w.deferred("+79160000201", domain.Purchase)
		w.clock.Add(w.Settings.CodeLater)
		ended := w.sentTo(w.anna, "+79160000202")
		w.must(w.SkipCode(t.Context(), w.anna, ended.ID))
		w.finished(w.anna, ended, domain.Left)
		changed := w.sentTo(w.anna, phoneA)
		w.must(w.RecordContact(t.Context(), w.anna, changed.ID, domain.ContactForm{Phone: phoneB, Name: "Яна"}))
		counted := &reads{Database: w.DB}
		w.DB = counted
		sent := len(w.sms.Sent())
		for name, token := range map[string]string{
			"never was": domain.RandomToken(16), "empty": "", "long": strings.Repeat("A", 5000), "not text": "\x00\xff",
			"late": late.SelfToken, "ended": ended.SelfToken, "changed": changed.SelfToken,
		} {
			for what, ask := range map[string]func() error{
				"look":         func() error { _, err := w.SelfEntry(t.Context(), token, customersAddress); return err },
				"send":         func() error { return w.SelfSend(t.Context(), token, w.request(), customersAddress) },
				"check":        func() error { return w.SelfCheck(t.Context(), token, w.request(), "1234", customersAddress) },
				"check of old": func() error { return w.SelfCheck(t.Context(), token, w.request(), w.codeOf(phoneA), customersAddress) },
				"check of ?":   func() error { return w.SelfCheck(t.Context(), token, "", "", customersAddress) },
			} {
				*counted = reads{Database: counted.Database}
				err := ask()
				var told *domain.Error
				if !errors.As(err, &told) || told.Kind != domain.NotFound || told.Message.Key != "error.not_found" {
					t.Errorf("%s, %s: %v", name, what, err)
				}
				if counted.byToken != 1 || counted.inTx != 0 {
					t.Errorf("%s, %s: %d reads, %d transactions", name, what, counted.byToken, counted.inTx)
				}
			}
		}
		if n := len(w.sms.Sent()); n != sent {
			t.Errorf("%d SMS", n-sent)
		}
	})
}

// Once the visit is over a page asks for so many SMS and no more: the number
// may be a stranger's.
func TestDeferredPageSendsThreeTimes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v, _ := w.asked(w.anna, phoneA)
		v = w.must(w.DeferCode(t.Context(), w.anna, v.ID))
		v = w.finished(w.anna, v, domain.Purchase)
		for n := range 4 {
			w.clock.Add(25 * time.Hour) // past the limits of the phone
			err := w.SelfSend(t.Context(), v.SelfToken, w.request(), "192.0.2.9")
			if n < 3 && err != nil || n == 3 && said(err) != "self.enough" {
				t.Errorf("SMS %d: %v", n+1, err)
			}
		}
	})
}
