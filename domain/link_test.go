package domain_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// ways are those in which the link that a code has proved ends, and the same
// phone stands in the visit again.
func ways() map[string]func(w *world, v domain.Visit) {
	contact := func(w *world, v domain.Visit, phones ...string) {
		for _, phone := range phones {
			w.must(w.RecordContact(w.t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"}))
		}
	}
	return map[string]func(w *world, v domain.Visit){
		"erased": func(w *world, v domain.Visit) {
			w.erase(*w.visit(v.ID).ContactID)
			w.consent(w.anna, w.visit(v.ID), true, true)
			contact(w, v, phoneA)
		},
		"both unticked and ticked": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, false, false)
			w.consent(w.anna, v, true, true)
			contact(w, v, phoneA)
		},
		"messages unticked and ticked": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, true, false)
			w.consent(w.anna, v, true, true)
		},
		"personal data unticked and ticked": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, false, true)
			w.consent(w.anna, v, true, true)
			contact(w, v, phoneA)
		},
		"phone changed and back": func(w *world, v domain.Visit) { contact(w, v, phoneB, phoneA) },
		"agreed to a new text": func(w *world, v domain.Visit) {
			w.newTexts()
			w.consent(w.anna, v, true, true)
		},
		"stopped, unticked and ticked": func(w *world, v domain.Visit) {
			w.hears("stop-"+w.request(), phoneA, "СТОП")
			w.consent(w.anna, v, true, false)
			w.consent(w.anna, v, true, true)
		},
	}
}

// A verification ends with the link between visit and person that it proved:
// whatever is posted afterwards, an old code or any other verifies nothing, and
// a send sends.
func TestAVerificationEndsWithItsLink(t *testing.T) {
	tries := map[string]func(w *world, v domain.Visit, old string){
		"any code": func(w *world, v domain.Visit, old string) {
			_, _ = w.CheckCode(w.t.Context(), w.anna, v.ID, w.request(), "0000")
			_, _ = w.CheckCode(w.t.Context(), w.anna, v.ID, w.request(), old)
		},
		"the old form again": func(w *world, v domain.Visit, old string) {
			_, _ = w.CheckCode(w.t.Context(), w.anna, v.ID, "the right form", old)
			_, _ = w.SendCode(w.t.Context(), w.anna, v.ID, "the sending form")
		},
		"a send": func(w *world, v domain.Visit, _ string) {
			_, _ = w.SendCode(w.t.Context(), w.anna, v.ID, w.request())
		},
		"a send and the old code": func(w *world, v domain.Visit, old string) {
			w.clock.Add(5 * time.Minute)
			_, err := w.SendCode(w.t.Context(), w.anna, v.ID, w.request())
			if now := codePattern.FindString(w.sms.Last(phoneA)); err != nil || now == old {
				return // one code in ten thousand is the same
			}
			_, _ = w.CheckCode(w.t.Context(), w.anna, v.ID, w.request(), old)
		},
		"the screen": func(w *world, v domain.Visit, _ string) {
			_, _, _ = w.CodeState(w.t.Context(), w.anna, w.visit(v.ID), domain.EntryAdvisor)
		},
		"the old page": func(w *world, v domain.Visit, old string) {
			_ = w.SelfSend(w.t.Context(), v.SelfToken, w.request(), customersAddress)
			_ = w.SelfCheck(w.t.Context(), v.SelfToken, w.request(), old, customersAddress)
		},
		"the new page": func(w *world, v domain.Visit, old string) {
			w.clock.Add(5 * time.Minute)
			_, _ = w.SendCode(w.t.Context(), w.anna, v.ID, w.request())
			_ = w.SelfCheck(w.t.Context(), w.visit(v.ID).SelfToken, w.request(), old, customersAddress)
		},
		"the job": func(w *world, _ domain.Visit, _ string) {
			w.clock.Add(6 * time.Minute)
			_, _ = w.SettleAttempts(w.t.Context())
		},
	}
	for way, end := range ways() {
		for try, verify := range tries {
			t.Run(way+", "+try, func(t *testing.T) {
				eachWorld(t, func(t *testing.T, w *world) {
					due := w.messages(w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase))[0]
					w.clock.Add(5 * time.Minute)
					v := w.contacted(w.anna, phoneA)
					w.must(w.SendCode(t.Context(), w.anna, v.ID, "the sending form"))
					old := codePattern.FindString(w.sms.Last(phoneA))
					v = w.must(w.CheckCode(t.Context(), w.anna, v.ID, "the right form", old))
					if v.VerifiedAt == nil {
						t.Fatal("not verified to begin with")
					}
					v = w.visit(v.ID)
					end(w, v)
					if got := w.visit(v.ID); got.VerifiedAt != nil || got.ContactID == nil {
						t.Fatalf("after the way: %+v", got)
					}
					verify(w, v, old)
					if got := w.visit(v.ID); got.VerifiedAt != nil {
						t.Errorf("verified without a new code: %+v", got)
					}
					w.limitsAgree("at the end")
					if found, err := w.Recount(t.Context()); err != nil || len(found) > 0 {
						t.Errorf("the recount: %v, %v", found, err)
					}
					// Who was erased or has stopped hears nothing of what was due before.
					if got := w.due(due); way == "erased" && got.State == domain.MessageAccepted {
						t.Errorf("a message left for somebody who was erased")
					}
				})
			})
		}
	}
}

// With a new code the phone verifies again, within the budgets.
func TestANewCodeVerifiesANewLink(t *testing.T) {
	for way, end := range ways() {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				v := w.verified(w.anna, phoneA)
				end(w, w.visit(v.ID))
				w.clock.Add(5 * time.Minute)
				sent := len(w.sms.Sent())
				w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
				if n := len(w.sms.Sent()) - sent; n != 1 {
					t.Fatalf("%d SMS", n)
				}
				v = w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), codePattern.FindString(w.sms.Last(phoneA))))
				if v.VerifiedAt == nil {
					t.Error("the new code verifies nothing")
				}
				consents, err := w.DB.VisitConsents(t.Context(), v.ID)
				if err != nil {
					t.Fatal(err)
				}
				standing := map[domain.ConsentKind]domain.Consent{}
				for _, c := range consents {
					standing[c.Document.Kind] = c
				}
				for kind, c := range standing {
					if !c.Given || c.ChallengeID == nil {
						t.Errorf("%s is not confirmed: %+v", kind, c)
					}
				}
				if found, err := w.Recount(t.Context()); err != nil || len(found) > 0 {
					t.Errorf("the recount: %v, %v", found, err)
				}
			})
		})
	}
}

// While a right code is on its way the link ends and begins anew, again and
// again. Whatever comes first, a visit is verified only by a code of its
// present link.
func TestCheckAgainstTheEndOfItsLink(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeSendsPerPhone, w.Settings.CodeSendsPerAdvisor = 1000, 1000
		for round := range 12 {
			phone := fmt.Sprintf("+791600077%02d", round)
			v, right := w.asked(w.anna, phone)
			check := w.request()
			var both sync.WaitGroup
			both.Go(func() { _, _ = w.CheckCode(t.Context(), w.anna, v.ID, check, right) })
			both.Go(func() {
				for _, p := range []string{"+79160009999", phone} {
					_, _ = w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: p, Name: "Пётр"})
				}
			})
			both.Wait()
			got := w.visit(v.ID)
			if got.Link == v.Link {
				t.Fatalf("round %d: the link did not change", round)
			}
			if got.VerifiedAt != nil {
				t.Errorf("round %d: verified by a code of an earlier link", round)
			}
			w.clock.Add(6 * time.Minute)
			if _, err := w.SettleAttempts(t.Context()); err != nil {
				t.Error(err)
			}
			if w.visit(v.ID).VerifiedAt != nil {
				t.Errorf("round %d: settled by a code of an earlier link", round)
			}
		}
		w.limitsAgree("at the end")
	})
}

// A no of somebody whose phone has not answered silences nobody.
func TestANoWithoutThePhonesAnswer(t *testing.T) {
	for way, no := range map[string]func(w *world, v domain.Visit){
		"messages":      func(w *world, v domain.Visit) { w.consent(w.timur, v, true, false) },
		"personal data": func(w *world, v domain.Visit) { w.consent(w.timur, v, false, false) },
		"both, then the phone changed": func(w *world, v domain.Visit) {
			w.consent(w.timur, v, true, false)
			w.must(w.RecordContact(w.t.Context(), w.timur, v.ID, domain.ContactForm{Phone: phoneB, Name: "Пётр"}))
		},
		"put off": func(w *world, v domain.Visit) {
			w.must(w.DeferCode(w.t.Context(), w.timur, v.ID))
			w.consent(w.timur, v, true, false)
		},
		"abandoned": func(w *world, v domain.Visit) {
			w.consent(w.timur, v, true, false)
			w.clock.Add(w.Settings.VisitAbandonedAfter)
			if _, err := w.AbandonStaleVisits(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		},
		"with a code that nobody typed": func(w *world, v domain.Visit) {
			w.must(w.SendCode(w.t.Context(), w.timur, v.ID, w.request()))
			w.consent(w.timur, v, true, false)
		},
	} {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				bought := w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase)
				m := w.messages(bought)[0]
				w.clock.Add(5 * time.Minute)
				no(w, w.contacted(w.timur, phoneA))
				c, err := w.DB.Contact(t.Context(), *bought.ContactID)
				if err != nil || c.Name == "" {
					t.Errorf("their name is gone: %+v, %v", c, err)
				}
				if got := w.due(m); got.State != domain.MessageAccepted {
					t.Errorf("the message is %s (%s)", got.State, got.Reason)
				}
				if found, err := w.Recount(t.Context()); err != nil || len(found) > 0 {
					t.Errorf("the recount: %v, %v", found, err)
				}
			})
		})
	}
}

// A no of the phone's owner counts, whatever becomes of the visit afterwards.
func TestANoOfThePhonesOwnerCounts(t *testing.T) {
	for way, no := range map[string]func(w *world, v domain.Visit){
		"messages":      func(w *world, v domain.Visit) { w.consent(w.anna, v, true, false) },
		"personal data": func(w *world, v domain.Visit) { w.consent(w.anna, v, false, false) },
		"then ticked again by the advisor": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, true, false)
			w.consent(w.anna, v, true, true)
		},
		"all of it ticked again by the advisor": func(w *world, v domain.Visit) {
			w.consent(w.anna, v, false, false)
			w.consent(w.anna, v, true, true)
			w.must(w.RecordContact(w.t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phoneA, Name: "Пётр"}))
		},
		"by SMS, after a stranger's no": func(w *world, _ domain.Visit) {
			w.consent(w.timur, w.contacted(w.timur, phoneA), true, false)
			w.hears("stop", phoneA, "СТОП")
		},
	} {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				m := w.messages(w.finished(w.anna, w.verified(w.anna, phoneA), domain.Purchase))[0]
				w.clock.Add(5 * time.Minute)
				no(w, w.verified(w.anna, phoneA))
				if got := w.due(m); got.State == domain.MessageAccepted {
					t.Errorf("the message left after its owner's no")
				}
				if found, err := w.Recount(t.Context()); err != nil || len(found) > 0 {
					t.Errorf("the recount: %v, %v", found, err)
				}
			})
		})
	}
}

// afterScript does something once, after a script that Redis has carried out.
type afterScript struct{ then func() }

func (afterScript) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h afterScript) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil && strings.HasPrefix(cmd.Name(), "eval") {
			h.then()
		}
		return err
	}
}

func (afterScript) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Between the verdict that an SMS may leave and its leaving, the link ends:
// nothing leaves, what Redis has counted is on record, and the advisor is told.
func TestTheLinkEndsBeforeTheSMS(t *testing.T) {
	for way, end := range map[string]func(w *world, v domain.Visit){
		"phone changed": func(w *world, v domain.Visit) {
			w.must(w.RecordContact(w.t.Context(), w.anna, v.ID, domain.ContactForm{Phone: phoneB, Name: "Пётр"}))
		},
		"phone changed and back": ways()["phone changed and back"],
		"consent taken back":     func(w *world, v domain.Visit) { w.consent(w.anna, v, false, false) },
		"messages unticked":      func(w *world, v domain.Visit) { w.consent(w.anna, v, true, false) },
	} {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				v := w.contacted(w.anna, phoneA)
				if _, _, err := w.CodeState(t.Context(), w.anna, v, domain.EntryAdvisor); err != nil { // Redis is filled
					t.Fatal(err)
				}
				w.redis.Client().AddHook(afterScript{sync.OnceFunc(func() { end(w, v) })})
				_, err := w.SendCode(t.Context(), w.anna, v.ID, w.request())
				if domain.KindOf(err) != domain.Conflict || len(w.sms.Sent()) != 0 {
					t.Errorf("%d SMS left, %v", len(w.sms.Sent()), err)
				}
				if got := fmt.Sprint(w.verdicts(v)); got != "[failed]" {
					t.Errorf("on record: %s", got)
				}
				w.limitsAgree("at the end")
			})
		})
	}
}
