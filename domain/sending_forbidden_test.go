package domain_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
)

// What forbids a message while the first gateway is asked keeps it from the
// next one, and from being tried again: only the call that is under way can't
// be taken back.
func TestNoNextGatewayOnceForbidden(t *testing.T) {
	for _, c := range []struct {
		name  string
		while func(w *world, m domain.Message, other domain.Visit)
		want  fate
	}{
		{"STOP", func(w *world, m domain.Message, _ domain.Visit) { w.hears("1", m.Phone, "STOP") },
			fate{state: domain.MessageCancelled, reason: "stopped"}},
		{"erased", func(w *world, m domain.Message, _ domain.Visit) { w.erase(m.ContactID) },
			fate{state: domain.MessageCancelled, reason: "erased"}},
		{"bought again, which brings a message of its own", func(w *world, _ domain.Message, other domain.Visit) { w.finished(w.anna, other, domain.Purchase) },
			fate{state: domain.MessageCancelled, reason: "repeated"}},
		{"the code is frozen", func(w *world, m domain.Message, _ domain.Visit) {
			if err := w.freeze(w.t.Context(), m.PromoCodeID, true); err != nil {
				w.t.Error(err)
			}
		}, fate{state: domain.MessageSuppressed, reason: "code_dead"}},
		{"the hours are over", func(w *world, _ domain.Message, _ domain.Visit) { w.clock.Add(10 * time.Hour) },
			fate{state: domain.MessageScheduled}},
		{"reported all the same", func(w *world, m domain.Message, _ domain.Visit) {
			if err := w.report(m, "first", domain.MessageDelivered); err != nil {
				w.t.Error(err)
			}
		}, fate{domain.MessageDelivered, "", "first", true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				m := w.dueBuyer("+79160000001")
				other := w.verified(w.anna, m.Phone)
				all := w.gateways("first", "second")
				all[0].Fail(smsFails(domain.SMSDown))
				w.Gateways[0].Messages = hooked{all[0], func(domain.SMSText) { c.while(w, m, other) }}
				got, again := w.send(m)
				if n := len(all[1].Sent()); n != 0 || again.IsZero() {
					t.Errorf("the second gateway took %d; %s (%s), again at %v", n, got.State, got.Reason, again)
				}
				w.Gateways[0].Messages = all[0]
				w.clock.Set(again)
				got, _ = w.send(m)
				w.expect("later", got, c.want)
				if n := len(all[1].Sent()); n != 0 {
					t.Errorf("the second gateway took %d in the end", n)
				}
			})
		})
	}
}

// Whichever of them is first, a purchase that takes the place of a message, and
// the record that no gateway took it, leave nothing scheduled of it.
func TestCancelledAgainstComingBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		sms := w.gateways("first")[0]
		sms.Fail(smsFails(domain.SMSDown))
		for range 30 {
			one := w.another(m)
			atOnce(2, func(i int) {
				var err error
				if i == 0 {
					_, err = w.SendMessage(t.Context(), one.ID, false)
				} else {
					err = w.DB.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
						return tx.CancelCodeMessages(ctx, m.PromoCodeID, m.Kind, "repeated", w.clock.Now())
					})
				}
				if err != nil {
					t.Error(err)
				}
			})
			if got := w.message(one.ID); got.State != domain.MessageCancelled || got.Reason != "repeated" || got.SettledAt == nil {
				t.Fatalf("%s (%s)", got.State, got.Reason)
			}
		}
	})
}

// A consent that is taken back while messages are being sent: what was not
// claimed by then never leaves.
func TestWithdrawalAgainstSending(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79160000001"
		m := w.dueBuyer(phone)
		sms := w.gateways("first")[0]
		w.Settings.MessagesPerWeek = 1000
		var mu sync.Mutex
		var after int
		withdrawn := false
		w.Gateways[0].Messages = hooked{sms, func(domain.SMSText) {
			mu.Lock()
			defer mu.Unlock()
			if withdrawn {
				after++
			}
		}}
		messages := []domain.Message{m}
		for range 9 {
			messages = append(messages, w.another(m))
		}
		v := w.consented(w.anna, true, false)
		atOnce(len(messages)+1, func(i int) {
			if i == len(messages) {
				_, err := w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"})
				if err != nil {
					t.Error(err)
				}
				return
			}
			if _, err := w.SendMessage(t.Context(), messages[i].ID, false); err != nil {
				t.Error(err)
			}
		})
		mu.Lock()
		withdrawn = true
		mu.Unlock()
		sent := 0
		for _, m := range messages {
			switch got, _ := w.send(m); got.State {
			case domain.MessageAccepted:
				sent++
			case domain.MessageSuppressed, domain.MessageCancelled:
			default:
				t.Errorf("message %d is %s", m.ID, got.State)
			}
		}
		if after != 0 || sent != len(sms.Sent()) {
			t.Errorf("%d left after the consent was taken back; %d accepted, %d SMS", after, sent, len(sms.Sent()))
		}
	})
}
