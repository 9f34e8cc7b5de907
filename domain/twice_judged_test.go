package domain_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

// overtaken lets something happen after Redis has judged a form for the first
// time and before its verdict is on record: the same form once more, above all,
// as a double tap sends it.
type overtaken struct {
	domain.Challenges
	do func()
}

func (o *overtaken) meanwhile() {
	if do := o.do; do != nil {
		o.do = nil
		do()
	}
}

func (o *overtaken) Open(ctx context.Context, r domain.OpenRequest) (domain.OpenResult, error) {
	res, err := o.Challenges.Open(ctx, r)
	o.meanwhile()
	return res, err
}

func (o *overtaken) Check(ctx context.Context, r domain.CheckRequest) (domain.CheckResult, error) {
	res, err := o.Challenges.Check(ctx, r)
	o.meanwhile()
	return res, err
}

// loses empties the Redis that the service has.
func (w *world) loses() {
	w.t.Helper()
	keys, err := w.redis.Client().Keys(w.t.Context(), w.redis.Prefix()+"*").Result()
	if err == nil && len(keys) > 0 {
		err = w.redis.Client().Del(w.t.Context(), keys...).Err()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// door is where a code is asked for and typed.
type door struct {
	check func(w *world, v domain.Visit, request, code string) error
	send  func(w *world, v domain.Visit, request string) error
}

func doors() map[string]door {
	return map[string]door{
		"the counter": {
			func(w *world, v domain.Visit, request, code string) error {
				_, err := w.CheckCode(w.t.Context(), w.anna, v.ID, request, code)
				return err
			},
			func(w *world, v domain.Visit, request string) error {
				_, err := w.SendCode(w.t.Context(), w.anna, v.ID, request)
				return err
			},
		},
		"their own page": {
			func(w *world, v domain.Visit, request, code string) error {
				return w.SelfCheck(w.t.Context(), v.SelfToken, request, code, customersAddress)
			},
			func(w *world, v domain.Visit, request string) error {
				return w.SelfSend(w.t.Context(), v.SelfToken, request, customersAddress)
			},
		},
	}
}

// One form is judged twice at once, and one of the two hears what counts
// nothing: it came a moment too early, or Redis forgot everything between the
// two. What the other has heard stays on record and counted, whichever of them
// comes last.
func TestAFormThatIsJudgedTwiceAtOnceGivesNothingBack(t *testing.T) {
	const lifetime = 5 * time.Minute
	for what, c := range map[string]struct {
		// begin comes before the form is judged for the first time, during after that and before the same form comes again.
		begin, during func(w *world, d door, v domain.Visit)
		sends         bool      // the form asks for an SMS
		told          [2]string // to the first, whose record comes last, and to the second
		counted       domain.CountedKind
		n             int
	}{
		"a code just before its SMS and just after": {
			begin:  func(w *world, _ door, _ domain.Visit) { w.clock.Add(lifetime) },
			during: func(w *world, d door, v domain.Visit) { w.sends(d, v) },
			told:   [2]string{"code.expired", "code.wrong"}, counted: domain.CountedWrong, n: 1,
		},
		"a code while its phone is barred and just after": {
			begin: func(w *world, d door, v domain.Visit) {
				w.Settings.CodeTriesPerDay, w.Settings.CodeLockAfter = 1, 100
				_ = d.check(w, v, w.request(), w.wrongFor(phoneA, 2))
				w.clock.Add(24*time.Hour - 2*time.Minute)
				w.Settings.CodeTriesPerDay = 2 // for the SMS alone
				w.sends(d, v)
				w.Settings.CodeTriesPerDay = 1
			},
			during: func(w *world, _ door, _ domain.Visit) { w.clock.Add(2 * time.Minute) },
			told:   [2]string{"limit.phone_day", "limit.phone_day"}, counted: domain.CountedWrong, n: 2,
		},
		"an SMS within the pause and just after": {
			begin:  func(*world, door, domain.Visit) {},
			during: func(w *world, _ door, _ domain.Visit) { w.clock.Add(time.Minute) },
			sends:  true, told: [2]string{"code.wait", ""}, counted: domain.CountedSend, n: 2,
		},
		"an SMS of a phone that has had enough and just after": {
			begin: func(w *world, _ door, _ domain.Visit) {
				w.Settings.CodeSendsPerPhone = 1
				w.clock.Add(24*time.Hour - time.Minute)
			},
			during: func(w *world, _ door, _ domain.Visit) { w.clock.Add(time.Minute) },
			sends:  true, told: [2]string{"limit.send_phone", ""}, counted: domain.CountedSend, n: 1, // the first is a day old
		},
		"a code before Redis forgets everything and after": {
			begin:  func(*world, door, domain.Visit) {},
			during: func(w *world, _ door, _ domain.Visit) { w.loses() },
			told:   [2]string{"code.wrong", "code.expired"}, counted: domain.CountedWrong, n: 1,
		},
		"an SMS before Redis forgets everything and after": {
			begin: func(w *world, _ door, _ domain.Visit) {
				w.Settings.CodeSendsPerPhone = 2
				w.clock.Add(time.Minute)
			},
			during: func(w *world, _ door, _ domain.Visit) { w.loses() },
			sends:  true, told: [2]string{"", ""}, counted: domain.CountedSend, n: 2,
		},
	} {
		for where, d := range doors() {
			t.Run(what+", at "+where, func(t *testing.T) {
				eachWorld(t, func(t *testing.T, w *world) {
					w.Settings.CodeLifetime = lifetime
					v := w.visit(w.sentTo(w.anna, phoneA).ID)
					wrong := w.wrongFor(phoneA, 1)
					c.begin(w, d, v)
					post := func(request string) error {
						if c.sends {
							return d.send(w, v, request)
						}
						return d.check(w, v, request, wrong)
					}
					form := w.request()
					var second error
					w.Challenges = &overtaken{Challenges: w.Challenges, do: func() {
						c.during(w, d, v)
						second = post(form)
					}}
					first := post(form)
					want := c.told
					if where != "the counter" && strings.HasPrefix(want[0], "limit.") {
						want[0] = "self.limited"
					}
					if where != "the counter" && strings.HasPrefix(want[1], "limit.") {
						want[1] = "self.limited"
					}
					if got := [2]string{said(first), said(second)}; got != want {
						t.Errorf("the two were told %q, want %q", got, want)
					}
					agree := func(when string) {
						t.Helper()
						if n := w.counted(c.counted, phoneA); n != c.n {
							t.Errorf("%s: %d are counted, want %d; on record: %v", when, n, c.n, w.verdicts(v))
						}
						w.limitsAgree(when)
					}
					agree("at the end")
					w.clock.Add(6 * time.Minute)
					if _, err := w.SettleAttempts(t.Context()); err != nil {
						t.Fatal(err)
					}
					agree("settled")
					w.newRedis()
					if _, _, err := w.CodeState(t.Context(), w.anna, w.visit(v.ID), domain.EntryAdvisor); err != nil {
						t.Fatal(err)
					}
					agree("filled from the rows")
				})
			})
		}
	}
}

// sends asks for an SMS that must leave.
func (w *world) sends(d door, v domain.Visit) {
	w.t.Helper()
	if err := d.send(w, v, w.request()); err != nil {
		w.t.Fatal(err)
	}
}

// A right code whose form comes again after Redis has forgotten everything is
// right on record, too, and verifies.
func TestARightCodeIsOnRecordWhateverItsTwinHears(t *testing.T) {
	for where, d := range doors() {
		t.Run(where, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				v := w.visit(w.sentTo(w.anna, phoneA).ID)
				right, form := w.codeOf(phoneA), w.request()
				var second error
				w.Challenges = &overtaken{Challenges: w.Challenges, do: func() {
					w.loses()
					second = d.check(w, v, form, right)
				}}
				if err := d.check(w, v, form, right); err != nil || said(second) != "code.expired" {
					t.Errorf("told: %v, %v", err, second)
				}
				if got := fmt.Sprint(w.verdicts(v)); w.visit(v.ID).VerifiedAt == nil || got != "[send right]" {
					t.Errorf("verified: %v; on record: %s", w.visit(v.ID).VerifiedAt, got)
				}
				if n := w.counted(domain.CountedWrong, phoneA); n != 0 {
					t.Errorf("%d wrong codes are counted", n)
				}
				w.limitsAgree("at the end")
			})
		})
	}
}

// An SMS that left stays one that left, though the same form comes too late to
// send it: the phone was changed meanwhile, or Redis knows of no code any more.
func TestAnSMSThatLeftIsOnRecordWhateverItsTwinMeets(t *testing.T) {
	for what, then := range map[string]func(w *world, v domain.Visit){
		"the phone was changed": func(w *world, v domain.Visit) { w.contact(w.anna, v, phoneB) },
		"the messages unticked": func(w *world, v domain.Visit) { w.consent(w.anna, v, true, false) },
		"the code is long over": func(w *world, _ domain.Visit) { w.clock.Add(time.Hour) },
		"the phone is verified": func(w *world, v domain.Visit) {
			w.must(w.CheckCode(w.t.Context(), w.anna, v.ID, w.request(), w.codeOf(phoneA)))
		},
		"Redis forgot everything": func(w *world, _ domain.Visit) { w.loses() },
	} {
		t.Run(what, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				v, form := w.contacted(w.anna, phoneA), w.request()
				w.Challenges = &overtaken{Challenges: w.Challenges, do: func() {
					w.must(w.SendCode(t.Context(), w.anna, v.ID, form))
					then(w, w.visit(v.ID))
				}}
				_, _ = w.SendCode(t.Context(), w.anna, v.ID, form)
				if n := len(w.sms.Sent()); n != 1 {
					t.Errorf("%d SMS left", n)
				}
				if got := w.verdicts(v); got[0] != "send" {
					t.Errorf("on record: %s", got)
				}
				w.limitsAgree("at the end")
			})
		})
	}
}
