package domain_test

import (
	"fmt"
	"testing"
	"time"

	"prilavok/domain"
)

// Customers who type wrong codes on pages of their own use up what such pages
// may, and close those pages: the counter goes on as before.
func TestGuessesOnPagesNeverCloseTheCounter(t *testing.T) {
	type limit struct {
		name domain.LimitName
		set  func(*domain.Settings)
	}
	for _, l := range []limit{
		{domain.LimitSelfAdvisor, func(s *domain.Settings) { s.CodeSelfTriesPerAdvisor = 6 }},
		{domain.LimitSelfStore, func(s *domain.Settings) { s.CodeSelfTriesPerStore = 6 }},
		{domain.LimitSelfAddress, func(s *domain.Settings) { s.CodeSelfTriesPerAddress = 6 }},
	} {
		t.Run(string(l.name), func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				w.Settings.CodeTriesPerAdvisor, w.Settings.CodeTriesPerStore = 3, 3
				l.set(&w.Settings)
				// Two customers, three wrong codes each: as many as the counter's limits twice.
				for i := range 2 {
					phone := fmt.Sprintf("+791600003%02d", i)
					v := w.sentTo(w.anna, phone)
					for n := range byte(3) {
						_ = w.selfCheck(v, w.wrongFor(phone, n+1))
					}
				}
				third := w.sentTo(w.anna, phoneA)
				if err := w.selfCheck(third, w.codeOf(phoneA)); domain.KindOf(err) != domain.Limited {
					t.Errorf("the next page: %v", err)
				}
				page, err := w.SelfEntry(t.Context(), third.SelfToken, customersAddress)
				if err != nil || page.State.Barred.Name != l.name {
					t.Errorf("the page says %+v, %v", page.State, err)
				}
				if got := w.guess(w.anna, third, w.codeOf(phoneA)); got != "" {
					t.Errorf("at the counter the right code is answered by %q", got)
				}
				met, err := w.StandingLimits(t.Context(), w.vera())
				if err != nil || len(met) != 1 || met[0].Name != l.name {
					t.Fatalf("the supervisor sees %+v, %v", met, err)
				}
				if err := w.LiftLimit(t.Context(), w.vera(), met[0].AttemptID, w.request(), "Покупатели ошиблись"); err != nil {
					t.Fatal(err)
				}
				fourth := w.sentTo(w.anna, phoneB)
				if err := w.selfCheck(fourth, w.codeOf(phoneB)); err != nil {
					t.Errorf("lifted: %v", err)
				}
				w.limitsAgree("at the end")
				before := fmt.Sprint(w.StandingLimits(t.Context(), w.vera()))
				w.newRedis()
				if after := fmt.Sprint(w.StandingLimits(t.Context(), w.vera())); after != before {
					t.Errorf("filled from the rows: %s, before %s", after, before)
				}
			})
		})
	}
}

// The page of one customer closes by itself where a phone could be tried more
// often, and an advisor who guesses on pages is counted there, too.
func TestOnePageHasItsOwnLimit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeTriesPerDay, w.Settings.CodeLockAfter, w.Settings.CodeTries = 50, 50, 50
		w.Settings.CodeSelfTriesPerPage = 2
		v := w.sentTo(w.anna, phoneA)
		for n := range byte(2) {
			_ = w.selfCheck(v, w.wrongFor(phoneA, n+1))
		}
		if err := w.selfCheck(v, w.codeOf(phoneA)); domain.KindOf(err) != domain.Limited {
			t.Errorf("the page: %v", err)
		}
		if got := w.guess(w.anna, v, w.codeOf(phoneA)); got != "" {
			t.Errorf("the counter: %q", got)
		}
	})
}

// SMS that customers ask for on their pages leave the advisor's own alone.
func TestSMSFromPagesNeverCloseTheCounter(t *testing.T) {
	for name, set := range map[string]func(*domain.Settings){
		"advisor": func(s *domain.Settings) { s.CodeSendsPerAdvisor = 2 },
		"address": func(s *domain.Settings) { s.CodeSendsPerAddress = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				w.anna.Address = customersAddress // one network for all, as in a mall
				v := w.sentTo(w.anna, phoneA)
				set(&w.Settings)
				for range 2 {
					w.clock.Add(3 * time.Minute)
					if err := w.SelfSend(t.Context(), v.SelfToken, w.request(), customersAddress); err != nil {
						t.Fatal(err)
					}
				}
				w.clock.Add(3 * time.Minute)
				if err := w.SelfSend(t.Context(), v.SelfToken, w.request(), customersAddress); domain.KindOf(err) != domain.Limited {
					t.Errorf("a third SMS from the page: %v", err)
				}
				if _, err := w.SendCode(t.Context(), w.anna, w.contacted(w.anna, phoneB).ID, w.request()); err != nil {
					t.Errorf("at the counter: %v", err)
				}
				w.limitsAgree("at the end")
			})
		})
	}
}
