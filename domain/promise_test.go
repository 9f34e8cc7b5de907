package domain_test

import (
	"testing"
	"time"

	"prilavok/domain"
)

// A summary is opened again at any time. What it promises is what will come as
// things stand then; what has left is told as a fact, and what will not come
// with its reason.
func TestPromise(t *testing.T) {
	sent := func(w *world, v domain.Visit) {
		if _, err := w.SendMessage(w.t.Context(), w.messages(v)[0].ID, true); err != nil {
			w.t.Error(err)
		}
	}
	stopped := func(w *world, v domain.Visit) {
		if _, err := w.StopCustomer(w.t.Context(), *v.ContactID); err != nil {
			w.t.Error(err)
		}
	}
	for _, c := range []struct {
		name    string
		outcome domain.Outcome
		then    func(w *world, v domain.Visit)
		want    domain.Promise // without its times
	}{
		{"as it was", domain.Purchase, func(*world, domain.Visit) {}, domain.Promise{Kind: domain.ReferralMessage, State: domain.MessageScheduled}},
		{"a trial", domain.Trial, func(*world, domain.Visit) {}, domain.Promise{Kind: domain.TrialMessage, State: domain.MessageScheduled}},
		{"neither", domain.Left, func(*world, domain.Visit) {}, domain.Promise{Why: "outcome"}},
		{"sent before its day", domain.Purchase, sent, domain.Promise{Kind: domain.ReferralMessage, State: domain.MessageAccepted}},
		{"voided", domain.Purchase, func(w *world, v domain.Visit) { w.void(v) }, domain.Promise{Why: "voided"}},
		{"sent, then voided", domain.Purchase, func(w *world, v domain.Visit) { sent(w, v); w.void(v) }, domain.Promise{Why: "voided", State: domain.MessageAccepted}},
		{"voided, and another purchase stands", domain.Purchase, func(w *world, v domain.Visit) {
			w.clock.Add(time.Minute)
			w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
			w.void(v)
		}, domain.Promise{Why: "voided"}},
		{"told with another purchase", domain.Purchase, func(w *world, _ domain.Visit) {
			w.clock.Add(time.Minute)
			w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
		}, domain.Promise{Why: "cancelled", Reason: "repeated"}},
		{"bought after a trial", domain.Trial, func(w *world, _ domain.Visit) {
			w.clock.Add(time.Minute)
			w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
		}, domain.Promise{Why: "cancelled", Reason: "purchased"}},
		{"the customer said stop", domain.Purchase, stopped, domain.Promise{Why: "cancelled", Reason: "stopped"}},
		{"stopped, then voided", domain.Purchase, func(w *world, v domain.Visit) { stopped(w, v); w.void(v) }, domain.Promise{Why: "voided"}},
		{"the customer is erased", domain.Purchase, func(w *world, v domain.Visit) { w.erase(*v.ContactID) }, domain.Promise{Why: "cancelled", Reason: "erased"}},
		{"the programme is stopped", domain.Purchase, func(w *world, _ domain.Visit) { w.exec(`UPDATE programmes SET active = (1 = 0)`) }, domain.Promise{Why: "barred", Reason: "programme_off"}},
		{"discounts are off", domain.Trial, func(w *world, _ domain.Visit) { w.exec(`UPDATE programmes SET discounts_on = (1 = 0)`) }, domain.Promise{Why: "barred", Reason: "programme_off"}},
		{"the code is frozen", domain.Purchase, func(w *world, v domain.Visit) {
			if err := w.FreezePromo(w.t.Context(), w.vera(), w.messages(v)[0].PromoCodeID, "проверяем"); err != nil {
				w.t.Error(err)
			}
		}, domain.Promise{Why: "barred", Reason: "code_dead"}},
		{"a week that is full may be over by then", domain.Purchase, func(w *world, _ domain.Visit) { w.Settings.MessagesPerWeek = 0 }, domain.Promise{Kind: domain.ReferralMessage, State: domain.MessageScheduled}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				v := w.finished(w.anna, w.verified(w.anna, phoneA), c.outcome)
				c.then(w, v)
				got, err := w.Promise(t.Context(), w.visit(v.ID))
				if err != nil {
					t.Fatal(err)
				}
				if (got.Kind != "") != got.At.After(v.StartedAt) || (got.State != "") != !got.Since.IsZero() {
					t.Errorf("the times of %+v", got)
				}
				got.At, got.Since = time.Time{}, time.Time{}
				if got != c.want {
					t.Errorf("promised %+v, want %+v", got, c.want)
				}
			})
		})
	}
}
