package domain_test

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
)

// newTexts publishes the next version of every text that is read aloud.
func (w *world) newTexts() {
	w.t.Helper()
	err := w.DB.InTx(w.t.Context(), func(ctx context.Context, tx domain.Tx) error {
		docs, err := tx.CurrentConsentDocuments(ctx, w.set.Programme.ID, "ru")
		for _, d := range docs {
			d.Version++
			d.Body += " И ещё."
			d.Hash = domain.HashConsent(d.Title, d.Body)
			if _, err := tx.AddConsentDocument(ctx, d); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// contact records a phone in a visit.
func (w *world) contact(a domain.Actor, v domain.Visit, phone string) domain.Visit {
	w.t.Helper()
	return w.must(w.RecordContact(w.t.Context(), a, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"}))
}

// stop presses the button of a customer's page.
func (w *world) stop(token string) {
	w.t.Helper()
	if err := w.CustomerStop(w.t.Context(), token); err != nil {
		w.t.Fatal(err)
	}
}

// A yes to a text that the phone has not heard of is proved by no code that
// came before it: not even where the answer was yes all along, to the text of
// before. Otherwise it would undo the customer's own STOP.
func TestAYesToANewTextNeedsANewCode(t *testing.T) {
	for who, stop := range map[string]func(w *world, bought domain.Visit){
		"by SMS":        func(w *world, _ domain.Visit) { w.hears("stop", phoneA, "СТОП") },
		"on their page": func(w *world, bought domain.Visit) { w.stop(w.page(bought)) },
		"nobody has":    func(*world, domain.Visit) {},
	} {
		t.Run("stopped "+who, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				bought := w.buyer(phoneA)
				w.clock.Add(5 * time.Minute)
				v := w.verified(w.anna, phoneA)
				stop(w, bought)
				before := w.agrees(*bought.ContactID)
				w.newTexts()
				w.consent(w.anna, v, true, true)
				if got := w.visit(v.ID); got.VerifiedAt != nil {
					t.Errorf("still verified, though the phone has not heard of this text: %+v", got)
				}
				if got := w.agrees(*bought.ContactID); got != before {
					t.Errorf("agreed before: %t, after a yes without a code: %t", before, got)
				}
				w.clock.Add(5 * time.Minute)
				w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
				w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.codeOf(phoneA)))
				if !w.agrees(*bought.ContactID) {
					t.Error("with a new code the yes counts")
				}
				w.sound()
			})
		})
	}
}

// A no that came before the phone's yes in the same visit is over with it,
// whatever ends the verification later.
func TestANoBeforeTheYesStaysOver(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bought := w.buyer(phoneA)
		w.clock.Add(5 * time.Minute)
		v := w.contacted(w.anna, phoneA)
		w.consent(w.anna, v, true, false)
		w.consent(w.anna, v, true, true)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.codeOf(phoneA)))
		w.newTexts()
		w.consent(w.anna, v, true, true)
		if !w.agrees(*bought.ContactID) {
			t.Error("a no that nobody's phone has said counts")
		}
		w.sound()
	})
}

// A no is of the person whose phone has said it. It stays theirs when the visit
// goes on with another number, and never becomes the other's.
func TestANoStaysWithWhoSaidIt(t *testing.T) {
	for way, leave := range map[string]func(w *world, v domain.Visit){
		"phone changed": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, true, false)
			w.contact(w.anna, v, phoneB)
		},
		"phone changed after the advisor ticked it again": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, true, false)
			w.consent(w.anna, v, true, true)
			w.contact(w.anna, v, phoneB)
		},
		"personal data taken back, then another number": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, false, false)
			w.consent(w.anna, v, true, true)
			w.contact(w.anna, v, phoneB)
		},
		"both one after the other": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, true, false)
			w.consent(w.anna, v, true, true)
			w.consent(w.anna, v, false, true)
			w.consent(w.anna, v, true, true)
			w.contact(w.anna, v, phoneB)
		},
		"another number and back": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, true, false)
			w.contact(w.anna, v, phoneB)
			w.contact(w.anna, v, phoneA)
			w.contact(w.anna, v, phoneB)
		},
	} {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				said, other := w.buyer(phoneA), w.buyer(phoneB)
				w.clock.Add(5 * time.Minute)
				v := w.verified(w.anna, phoneA)
				leave(w, v)
				if got := w.visit(v.ID); got.ContactID == nil || *got.ContactID != *other.ContactID || got.VerifiedAt != nil {
					t.Fatalf("the visit: %+v", got)
				}
				c, err := w.DB.ContactConsents(t.Context(), *said.ContactID)
				if err != nil || c[domain.Communications] && c[domain.PersonalData] {
					t.Errorf("the no of the one who said it is gone: %v, %v", c, err)
				}
				if c, err = w.DB.ContactConsents(t.Context(), *other.ContactID); err != nil || !c[domain.Communications] || !c[domain.PersonalData] {
					t.Errorf("somebody else was silenced: %v, %v", c, err)
				}
				if m := w.due(w.messages(said)[0]); m.State == domain.MessageAccepted {
					t.Error("a message left to the one who said no")
				}
				if m := w.due(w.messages(other)[0]); m.State != domain.MessageAccepted {
					t.Errorf("the other's message is %s (%s)", m.State, m.Reason)
				}
				w.sound()
			})
		})
	}
}

// Nobody is kept on record for a no alone that nothing hangs on: who has only
// this visit is forgotten with it, and their no silences nobody afterwards.
func TestANoOfSomebodyForgottenIsNobodys(t *testing.T) {
	for way, leave := range map[string]func(w *world, v domain.Visit){
		"phone changed": func(*world, domain.Visit) {},
		"personal data taken back": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, false, false)
			w.consent(w.anna, v, true, false)
		},
		"erased": func(w *world, v domain.Visit) {
			w.erase(*w.visit(v.ID).ContactID)
			w.consent(w.anna, w.visit(v.ID), true, false)
		},
	} {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				other := w.buyer(phoneB)
				w.clock.Add(5 * time.Minute)
				v := w.verified(w.anna, phoneA)
				id := *v.ContactID
				w.consent(w.anna, v, true, false)
				leave(w, v)
				w.contact(w.anna, v, phoneB)
				if c, err := w.DB.Contact(t.Context(), id); !domain.IsNotFound(err) && c.ErasedAt == nil {
					t.Errorf("still known: %+v, %v", c, err)
				}
				if !w.agrees(*other.ContactID) {
					t.Error("somebody else was silenced")
				}
				w.sound()
			})
		})
	}
}

// What the customer's page says is what counts: a stranger's no stops nothing,
// and the way to stop stays open.
func TestACustomersPageAfterAStrangersNo(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bought := w.buyer(phoneA)
		token := w.page(bought)
		w.clock.Add(5 * time.Minute)
		w.consent(w.timur, w.contacted(w.timur, phoneA), true, false)
		p := w.customer(token)
		if p.Stopped() {
			t.Error("the page says that messages have stopped, and they come")
		}
		for _, c := range p.Consents {
			if !c.Standing() || c.VisitID != bought.ID {
				t.Errorf("what stands: %+v", c)
			}
		}
		w.stop(token)
		if !w.customer(token).Stopped() || w.due(w.messages(bought)[0]).State == domain.MessageAccepted {
			t.Error("their own stop")
		}
		w.sound()
	})
}

// A STOP of somebody who has said no at the counter already is their own all the
// same: it stays on record when that visit goes on with a yes and a code, and
// then with another number.
func TestAStopAfterANoAtTheCounterStaysOnRecord(t *testing.T) {
	for who, stop := range map[string]func(w *world, bought domain.Visit){
		"by SMS":        func(w *world, _ domain.Visit) { w.hears("stop", phoneA, "СТОП") },
		"on their page": func(w *world, bought domain.Visit) { w.stop(w.page(bought)) },
		"by staff":      func(w *world, _ domain.Visit) { w.withdrawn(w.vera(), phoneA) },
	} {
		t.Run(who, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				bought := w.buyer(phoneA)
				w.clock.Add(5 * time.Minute)
				v := w.verified(w.anna, phoneA)
				w.clock.Add(time.Minute)
				w.consent(w.anna, v, true, false)
				w.clock.Add(time.Minute)
				stop(w, bought)
				w.clock.Add(5 * time.Minute)
				w.consent(w.anna, v, true, true)
				w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
				w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.codeOf(phoneA)))
				if !w.agrees(*bought.ContactID) {
					t.Error("a later yes with a code does not count")
				}
				w.contact(w.anna, v, phoneB)
				if w.agrees(*bought.ContactID) {
					t.Error("the yes has gone with the visit, and their own stop is forgotten")
				}
				w.sound()
			})
		})
	}
}
