package domain_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
)

func (w *world) withdrawal(phone string) domain.WithdrawalForm {
	return domain.WithdrawalForm{RequestID: w.request(), Phone: phone, Reason: "Позвонил в магазин", Sure: true}
}

func (w *world) withdrawn(a domain.Actor, phone string) {
	w.t.Helper()
	if err := w.WithdrawFor(w.t.Context(), a, w.withdrawal(phone)); err != nil {
		w.t.Fatal(err)
	}
}

// Who asks a supervisor or an administrator gets no messages any more, and it
// is on record who took the consent back, when and why.
func TestWithdrawalOnDemand(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for who, a := range map[string]domain.Actor{"supervisor": w.vera(), "administrator": {Staff: w.set.Administrator}} {
			phone := map[string]string{"supervisor": phoneA, "administrator": phoneB}[who]
			bought := w.buyer(phone)
			token, sent := w.page(bought), len(w.sms.Sent())
			if err := w.WithdrawFor(t.Context(), w.anna, w.withdrawal(phone)); domain.KindOf(err) != domain.Forbidden || !w.agrees(*bought.ContactID) {
				t.Fatalf("an advisor: %v", err)
			}
			w.clock.Add(time.Minute)
			f := w.withdrawal("8 (" + phone[2:5] + ") " + phone[5:]) // as it is said in the country
			if err := w.WithdrawFor(t.Context(), a, f); err != nil {
				t.Fatal(err)
			}
			if got := w.messages(bought)[0]; got.State != domain.MessageCancelled || got.Reason != "stopped" {
				t.Errorf("%s: the message is %s (%s)", who, got.State, got.Reason)
			}
			if w.agrees(*bought.ContactID) || !w.customer(token).Stopped() {
				t.Errorf("%s: the consent stands", who)
			}
			last, err := w.DB.NewestConsent(t.Context(), *bought.ContactID, domain.Communications)
			if err != nil || last.Given || last.Source != domain.FromStaff || last.VisitID != 0 || last.Hash == "" {
				t.Errorf("%s: the no is %+v, %v", who, last, err)
			}
			if got := w.data(token).Events; len(got) != 1 || got[0].Kind != domain.ContactStopped || got[0].Source != domain.FromStaff {
				t.Errorf("%s: events %+v", who, got)
			}
			past, err := w.RecentWithdrawals(t.Context(), a)
			if err != nil || len(past) == 0 || past[0].StaffID != a.ID || past[0].StaffName != a.Name || past[0].Reason != f.Reason || !past[0].At.Equal(w.Now()) {
				t.Errorf("%s: on record %+v, %v", who, past, err)
			}
			if len(w.sms.Sent()) != sent || len(w.answers()) != 0 {
				t.Errorf("%s: an SMS was sent because a number was typed", who)
			}
			w.sound()
		}
		// A supervisor sees what is their own, an administrator everything.
		for _, c := range []struct {
			actor domain.Actor
			want  int
		}{{w.vera(), 1}, {domain.Actor{Staff: w.set.Administrator}, 2}} {
			if past, err := w.RecentWithdrawals(t.Context(), c.actor); err != nil || len(past) != c.want {
				t.Errorf("%s: %d on record, want %d, %v", c.actor.Role, len(past), c.want, err)
			}
		}
		if _, err := w.RecentWithdrawals(t.Context(), w.anna); domain.KindOf(err) != domain.Forbidden {
			t.Errorf("an advisor reads the list: %v", err)
		}
	})
}

// What is asked and what is on record tells nobody whether a number is a
// customer's, and makes nobody of a stranger.
func TestWithdrawalTellsNoCustomer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.buyer(phoneA)
		people := w.count(`SELECT count(*) FROM contacts`)
		w.withdrawn(w.vera(), phoneA)
		w.withdrawn(w.vera(), phoneB)
		w.withdrawn(w.vera(), phoneA) // said no before
		if n := w.count(`SELECT count(*) FROM contacts`); n != people {
			t.Errorf("%d people, %d before", n, people)
		}
		past, err := w.RecentWithdrawals(t.Context(), w.vera())
		if err != nil || len(past) != 3 {
			t.Fatalf("%+v, %v", past, err)
		}
		for _, p := range past {
			if p.Reason != past[0].Reason || p.StaffName != past[0].StaffName {
				t.Errorf("looks unlike the others: %+v", p)
			}
		}
		if n := w.count(`SELECT count(*) FROM consents WHERE source = 'staff'`); n != 1 {
			t.Errorf("%d times a no", n)
		}
		if strings.Contains(w.dump(), phoneB[1:]) {
			t.Error("the number of a stranger was kept")
		}
		w.sound()
	})
}

// The same form does it once, also where two of it come at one moment.
func TestWithdrawalTwice(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		a, b := w.buyer(phoneA), w.buyer(phoneB)
		f := w.withdrawal(phoneA)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := w.WithdrawFor(t.Context(), w.vera(), f); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		f.Phone = phoneB
		if err := w.WithdrawFor(t.Context(), w.vera(), f); err != nil {
			t.Error(err)
		}
		if w.agrees(*a.ContactID) || !w.agrees(*b.ContactID) || w.count(`SELECT count(*) FROM withdrawals`) != 1 {
			t.Errorf("agree: %t, %t, %d on record", w.agrees(*a.ContactID), w.agrees(*b.ContactID), w.count(`SELECT count(*) FROM withdrawals`))
		}
		w.sound()
	})
}

func TestWithdrawalFaults(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bought := w.buyer(phoneA)
		for field, change := range map[string]func(f *domain.WithdrawalForm){
			"phone":  func(f *domain.WithdrawalForm) { f.Phone = "12-34" },
			"reason": func(f *domain.WithdrawalForm) { f.Reason = "  " },
			"sure":   func(f *domain.WithdrawalForm) { f.Sure = false },
			"":       func(f *domain.WithdrawalForm) { f.RequestID = "" },
		} {
			f := w.withdrawal(phoneA)
			change(&f)
			err := w.WithdrawFor(t.Context(), w.vera(), f)
			if _, ok := domain.FieldsOf(err)[field]; domain.KindOf(err) != domain.Invalid || !ok && field != "" {
				t.Errorf("%q: %v", field, err)
			}
		}
		if !w.agrees(*bought.ContactID) || w.count(`SELECT count(*) FROM withdrawals`) != 0 {
			t.Error("a form with a fault took something back")
		}
	})
}

// A withdrawal takes back what an open visit has said, as STOP does: neither
// the code that is still to be typed nor the same boxes once more bring the
// messages back. A new yes with a new code does.
func TestWithdrawalInAnOpenVisit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v, code := w.asked(w.anna, phoneA)
		w.withdrawn(w.vera(), phoneA)
		v = w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), code))
		if v.VerifiedAt == nil || w.agrees(*v.ContactID) {
			t.Errorf("after the code: %+v", v)
		}
		w.consent(w.anna, v, true, true)
		if w.agrees(*v.ContactID) {
			t.Error("the same boxes once more brought the messages back")
		}
		w.consent(w.anna, v, true, false)
		w.consent(w.anna, v, true, true)
		if w.agrees(*v.ContactID) || w.visit(v.ID).VerifiedAt != nil {
			t.Error("a yes without a code brought the messages back")
		}
		w.clock.Add(5 * time.Minute)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		v = w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.codeOf(phoneA)))
		if !w.agrees(*v.ContactID) {
			t.Error("a new yes with a new code does not count")
		}
		w.sound()
	})
}

// Somebody of whom nothing is left but that they have asked is not kept for it.
func TestWithdrawalOfSomebodyForgotten(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.consented(w.anna, true, false)
		v = w.contact(w.anna, v, phoneA)
		f := w.withdrawal(phoneA)
		f.Reason = "Звонил Аполлинарий"
		if err := w.WithdrawFor(t.Context(), w.vera(), f); err != nil {
			t.Fatal(err)
		}
		w.consent(w.anna, v, false, false)
		if text := w.dump(); strings.Contains(text, phoneA[1:]) || strings.Contains(text, "Аполлинарий") {
			t.Error("still known")
		}
		w.sound()
	})
}
