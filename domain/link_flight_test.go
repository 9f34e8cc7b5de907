package domain_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
)

// meanwhile lets something happen after Redis has judged a guess and before
// anybody hears of it; lost takes the answer away then.
type meanwhile struct {
	domain.Challenges
	do   func()
	lost bool
}

func (m *meanwhile) Check(ctx context.Context, r domain.CheckRequest) (domain.CheckResult, error) {
	res, err := m.Challenges.Check(ctx, r)
	if do := m.do; do != nil {
		m.do = nil
		do()
		if m.lost {
			return domain.CheckResult{}, &domain.Error{Kind: domain.Unavailable, Err: errors.New("the answer is lost")}
		}
	}
	return res, err
}

// selfStore makes the advisor's store one where only customers type codes.
func (w *world) selfStore(a domain.Actor) domain.Actor {
	w.t.Helper()
	if err := w.SetSelfEntry(w.t.Context(), domain.Actor{Staff: w.set.Administrator}, a.StoreID, true); err != nil {
		w.t.Fatal(err)
	}
	staff, err := w.DB.StaffByID(w.t.Context(), a.ID) // as every request does
	if err != nil {
		w.t.Fatal(err)
	}
	actor := domain.Actor{Staff: staff, StoreID: a.StoreID}
	if !actor.Store().SelfEntry {
		w.t.Fatal("the store has no self-entry")
	}
	return actor
}

// Redis says that a code is right, and before that is on record the link ends
// and the same phone stands in the visit again. The code proves nothing of the
// new link: not when its answer comes, and not when it was lost and is found
// later, by whichever door.
func TestARightCodeInFlightProvesNoOtherLink(t *testing.T) {
	for _, self := range []bool{false, true} {
		for _, lost := range []bool{false, true} {
			for way, end := range ways() {
				t.Run(way+map[bool]string{true: ", on their own page"}[self]+map[bool]string{true: ", the answer lost"}[lost], func(t *testing.T) {
					eachWorld(t, func(t *testing.T, w *world) {
						if self {
							w.anna = w.selfStore(w.anna)
						}
						v := w.sentTo(w.anna, phoneA)
						right := w.codeOf(phoneA)
						w.Challenges = &meanwhile{Challenges: w.Challenges, lost: lost, do: func() { end(w, w.visit(v.ID)) }}
						if self {
							_ = w.selfCheck(v, right)
						} else {
							_, _ = w.CheckCode(t.Context(), w.anna, v.ID, w.request(), right)
						}
						notYet := func(when string) {
							t.Helper()
							if got := w.visit(v.ID); got.VerifiedAt != nil || got.ContactID == nil {
								t.Fatalf("%s: %+v", when, got)
							}
						}
						notYet("after the check")
						if _, _, err := w.CodeState(t.Context(), w.anna, w.visit(v.ID), domain.EntryAdvisor); err != nil {
							t.Fatal(err)
						}
						notYet("after the screen")
						w.clock.Add(6 * time.Minute)
						if _, err := w.SettleAttempts(t.Context()); err != nil {
							t.Fatal(err)
						}
						notYet("after the job")
						sent := len(w.sms.Sent())
						w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
						notYet("after a send")
						if n := len(w.sms.Sent()) - sent; n != 1 {
							t.Errorf("%d SMS, want one with a new code", n)
						}
						now := w.visit(v.ID)
						if self {
							if err := w.selfCheck(now, w.codeOf(phoneA)); err != nil {
								t.Error(err)
							}
						} else {
							w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.codeOf(phoneA)))
						}
						if w.visit(v.ID).VerifiedAt == nil {
							t.Error("the new code verifies nothing")
						}
						w.limitsAgree("at the end")
						w.sound()
					})
				})
			}
		}
	}
}

// In a store where customers type the codes themselves a send alone never
// verifies, and neither does what the customer typed for an earlier link.
func TestSelfEntryNeedsANewCodeForANewLink(t *testing.T) {
	for way, end := range ways() {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				w.anna = w.selfStore(w.anna)
				v := w.sentTo(w.anna, phoneA)
				old := w.codeOf(phoneA)
				if err := w.selfCheck(v, old); err != nil || w.visit(v.ID).VerifiedAt == nil {
					t.Fatalf("not verified to begin with: %v", err)
				}
				end(w, w.visit(v.ID))
				w.clock.Add(5 * time.Minute)
				sent := len(w.sms.Sent())
				now := w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
				if now.VerifiedAt != nil || len(w.sms.Sent()) != sent+1 {
					t.Fatalf("a send: %d SMS, %+v", len(w.sms.Sent())-sent, now)
				}
				if _, err := w.CheckCode(t.Context(), w.anna, v.ID, w.request(), w.codeOf(phoneA)); domain.KindOf(err) != domain.Conflict {
					t.Errorf("the advisor typed it: %v", err)
				}
				if w.codeOf(phoneA) != old { // one in ten thousand is the same
					if err := w.selfCheck(now, old); domain.KindOf(err) != domain.Invalid || w.visit(v.ID).VerifiedAt != nil {
						t.Errorf("the old code: %v", err)
					}
				}
				if err := w.selfCheck(now, w.codeOf(phoneA)); err != nil || w.visit(v.ID).VerifiedAt == nil {
					t.Errorf("the new code: %v", err)
				}
				w.limitsAgree("at the end")
				w.sound()
			})
		})
	}
}

// While a right code is on its way the consent to messages is taken back and
// given again. Whoever comes first, no yes is confirmed by a code that was
// typed before it was said.
func TestCheckAgainstAnotherYes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeSendsPerAdvisor = 1000
		for round := range 12 {
			phone := "+791600088" + string(rune('0'+round/10)) + string(rune('0'+round%10))
			v, right := w.asked(w.anna, phone)
			docs, err := w.ConsentDocuments(t.Context(), v)
			if err != nil {
				t.Fatal(err)
			}
			check := w.request()
			var both sync.WaitGroup
			both.Go(func() { _, _ = w.CheckCode(t.Context(), w.anna, v.ID, check, right) })
			both.Go(func() {
				for _, yes := range []bool{false, true} {
					if _, err := w.RecordConsents(t.Context(), w.anna, v.ID, []domain.ConsentAnswer{
						{DocumentID: docs[0].ID, Given: true}, {DocumentID: docs[1].ID, Given: yes},
					}); err != nil {
						t.Error(err)
					}
				}
			})
			both.Wait()
			w.clock.Add(6 * time.Minute)
			if _, err := w.SettleAttempts(t.Context()); err != nil {
				t.Error(err)
			}
			if got := w.visit(v.ID); got.VerifiedAt != nil || got.Link == v.Link {
				t.Errorf("round %d: verified by a code of before the yes: %+v", round, got)
			}
		}
		w.limitsAgree("at the end")
		w.sound()
	})
}
