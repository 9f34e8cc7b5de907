package domain_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/domain/domaintest"
	"prilavok/sql"
	"prilavok/sql/sqltest"
	"prilavok/web/redisstore"
)

// cut breaks the connection to Redis at one command: before it is carried out,
// or after, when only the answer is lost.
type cut struct {
	mu    sync.Mutex
	at    int // of the command, from 1; 0: none
	after bool
	n     int  // commands so far
	off   bool // while the test itself looks
}

var errCut = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("the connection was cut")}

func (c *cut) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *cut) now() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return false
	}
	c.n++
	return c.n == c.at
}

// unseen runs what is not of the program.
func (c *cut) unseen(f func()) {
	c.off = true
	f()
	c.off = false
}

func (c *cut) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !c.now() {
			return next(ctx, cmd)
		}
		if c.after {
			// A script that Redis does not know yet comes once more, whole.
			if err := next(ctx, cmd); redis.HasErrorPrefix(err, "NOSCRIPT") {
				c.at++
				return err
			}
		}
		cmd.SetErr(errCut)
		return errCut
	}
}

func (c *cut) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if !c.now() {
			return next(ctx, cmds)
		}
		if c.after {
			_ = next(ctx, cmds)
		}
		for _, cmd := range cmds {
			cmd.SetErr(errCut)
		}
		return errCut
	}
}

// counts gives what Redis has counted of a kind against a phone.
func (w *world) counted(kind domain.CountedKind, phone string) (n int) {
	w.t.Helper()
	all, err := w.Limits.Recorded(w.t.Context())
	if errors.Is(err, domain.ErrLimitsLost) {
		return 0
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range all {
		if c.Kind == kind && c.Subject == "phone:"+w.PhoneKey(phone) && !c.Lift {
			n++
		}
	}
	return n
}

// agrees fails where Redis and the rows differ.
func (w *world) limitsAgree(when string) {
	w.t.Helper()
	found, err := w.RecountLimits(w.t.Context())
	if err != nil || len(found) > 0 {
		w.t.Errorf("%s: %v, %v", when, found, err)
	}
}

// verdicts are those of a visit's attempts, in their order.
func (w *world) verdicts(v domain.Visit) (out []string) {
	w.t.Helper()
	rows, err := w.DB.CodeAttempts(w.t.Context(), v.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rows {
		out = append(out, r.Verdict)
	}
	return out
}

// again does what a person does whose screen says that something is out: the
// same form once more.
func again(form func() error) error {
	err := form()
	if domain.KindOf(err) == domain.Unavailable {
		err = form()
	}
	return err
}

// A visit in which the connection to Redis is cut once, at every point in
// turn. Whatever was cut, two wrong codes are two, one SMS is one, the right
// code verifies, and Redis, the rows, and a Redis that is filled from the rows
// agree.
func TestACutConnectionLosesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001")
		for _, after := range []bool{false, true} {
			for at := 1; ; at++ {
				// Nobody's limits of the last round are in the way of this one.
				w.clock.Add(200 * 24 * time.Hour)
				if w.visitWithACut(code, &cut{at: at, after: after}, fmt.Sprintf("cut at command %d, after it: %t", at, after)) {
					if at < 8 {
						t.Fatalf("a visit asked Redis %d times; the cut never met anything", at)
					}
					break
				}
			}
		}
	})
}

// visitWithACut tells whether the visit was over before the cut came.
func (w *world) visitWithACut(code domain.PromoCode, c *cut, when string) (over bool) {
	t := w.t
	t.Helper()
	w.newRedis()
	// The limits are filled before: how often that asks is another matter.
	if _, err := w.StandingLimits(t.Context(), w.vera()); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE promo_codes SET expires_at = NULL, max_uses = max_uses + 1 WHERE id = $1`, code.ID)
	v := w.contacted(w.anna, phoneA)
	w.redis.Client().AddHook(c)
	sent := len(w.sms.Sent())
	send := w.request()
	if err := again(func() error { _, err := w.SendCode(t.Context(), w.anna, v.ID, send); return err }); err != nil {
		t.Fatalf("%s: send: %v", when, err)
	}
	if n := len(w.sms.Sent()) - sent; n != 1 {
		t.Errorf("%s: %d SMS left", when, n)
	}
	right := codePattern.FindString(w.sms.Last(phoneA))
	for range 2 {
		form := w.request()
		if err := again(func() error { _, err := w.CheckCode(t.Context(), w.anna, v.ID, form, not(right)); return err }); said(err) != "code.wrong" {
			t.Errorf("%s: a wrong code: %v", when, err)
		}
	}
	c.unseen(func() {
		if n := w.counted(domain.CountedWrong, phoneA); n != 2 {
			t.Errorf("%s: %d wrong codes are counted", when, n)
		}
	})
	form := w.request()
	if err := again(func() error { _, err := w.CheckCode(t.Context(), w.anna, v.ID, form, right); return err }); err != nil {
		t.Errorf("%s: the right code: %v", when, err)
	}
	if w.visit(v.ID).VerifiedAt == nil {
		t.Errorf("%s: the right code verified nothing", when)
	}
	_ = again(func() error { _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, "0000000000"); return err })
	if err := again(func() error { _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code.Code); return err }); err != nil {
		t.Errorf("%s: the promo code: %v", when, err)
	}
	over = c.n < c.at
	c.off = true
	w.limitsAgree(when)
	w.clock.Add(10 * time.Minute)
	if _, err := w.SettleAttempts(t.Context()); err != nil {
		t.Errorf("%s: settle: %v", when, err)
	}
	w.limitsAgree(when + ", settled")
	if n := w.count(`SELECT count(*) FROM code_attempts WHERE verdict = 'asked'`) + w.count(`SELECT count(*) FROM promo_refusals WHERE reason = 'asked'`); n != 0 {
		t.Errorf("%s: %d are asked for ever", when, n)
	}
	if got := fmt.Sprint(w.verdicts(v)); got != "[send wrong wrong right]" {
		t.Errorf("%s: on record: %s", when, got)
	}
	w.newRedis()
	if _, _, err := w.CodeState(t.Context(), w.anna, w.contacted(w.anna, phoneA), domain.EntryAdvisor); err != nil {
		t.Fatal(err)
	}
	if n := w.counted(domain.CountedWrong, phoneA); n != 2 {
		t.Errorf("%s: filled from the rows, Redis counts %d wrong codes", when, n)
	}
	w.limitsAgree(when + ", filled anew")
	return over
}

// The answer to a right code is lost, and the form does not come again: the
// next look at the screen, the next SMS, another code, or the job finds out.
func TestALostAnswerIsFound(t *testing.T) {
	ways := map[string]func(w *world, v domain.Visit, right string) error{
		"look": func(w *world, v domain.Visit, _ string) error {
			_, _, err := w.CodeState(w.t.Context(), w.anna, v, domain.EntryAdvisor)
			return err
		},
		"another SMS": func(w *world, v domain.Visit, _ string) error {
			_, err := w.SendCode(w.t.Context(), w.anna, v.ID, w.request())
			return err
		},
		"another code": func(w *world, v domain.Visit, right string) error {
			_, err := w.CheckCode(w.t.Context(), w.anna, v.ID, w.request(), not(right))
			return err
		},
		"the customer's page": func(w *world, v domain.Visit, _ string) error {
			_, err := w.SelfEntry(w.t.Context(), v.SelfToken, customersAddress)
			return err
		},
		"the job": func(w *world, _ domain.Visit, _ string) error {
			w.clock.Add(6 * time.Minute)
			_, err := w.SettleAttempts(w.t.Context())
			return err
		},
	}
	for way, goOn := range ways {
		t.Run(way, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				v, right := w.asked(w.anna, phoneA)
				v = w.visit(v.ID)
				// The look for what is unsettled, then the check itself.
				c := &cut{at: 1, after: true}
				w.redis.Client().AddHook(c)
				if _, err := w.CheckCode(t.Context(), w.anna, v.ID, w.request(), right); domain.KindOf(err) != domain.Unavailable {
					t.Fatalf("the cut: %v", err)
				}
				if w.visit(v.ID).VerifiedAt != nil {
					t.Fatal("verified without an answer; the test shows nothing")
				}
				w.limitsAgree("after the cut")
				if err := goOn(w, v, right); err != nil {
					t.Error(err)
				}
				if w.visit(v.ID).VerifiedAt == nil {
					t.Error("the right code is forgotten")
				}
				if got := fmt.Sprint(w.verdicts(v)); got != "[send right]" {
					t.Errorf("on record: %s", got)
				}
				w.limitsAgree("at the end")
			})
		})
	}
}

// A form that was judged before is answered from its row, also when its
// challenge is over: it neither costs a guess nor gives one back.
func TestAnOldFormGivesNothingBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v, right := w.asked(w.anna, phoneA)
		old := w.request()
		if _, err := w.CheckCode(t.Context(), w.anna, v.ID, old, not(right)); said(err) != "code.wrong" {
			t.Fatal(err)
		}
		w.clock.Add(time.Hour) // the challenge is forgotten
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		for range 3 {
			if _, err := w.CheckCode(t.Context(), w.anna, v.ID, old, not(right)); said(err) != "code.wrong" {
				t.Errorf("the old form: %v", err)
			}
		}
		if n := w.counted(domain.CountedWrong, phoneA); n != 1 {
			t.Errorf("%d wrong codes are counted, want 1", n)
		}
		w.limitsAgree("at the end")
	})
}

// Redis forgets everything in the middle of wrong guesses at once, each with a
// double tap, again and again, under one instance or two: five get an answer in
// a day, and no sixth.
func TestALossAmidGuessesGivesNoneBack(t *testing.T) {
	clock := domaintest.NewClock(sqltest.Start)
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		w := newWorld(t, db, clock)
		w.Settings.CodeSendsPerPhone, w.Settings.CodeSendsPerAdvisor, w.Settings.CodeTriesPerAdvisor = 1000, 1000, 1000
		w.Settings.CodeResendAfter = []time.Duration{time.Millisecond}
		instances := []*domain.Service{w.Service}
		if w.redisURL != "" {
			instances = append(instances, w.instance())
		}
		for round := range 6 {
			w.lossAmidGuesses(instances, fmt.Sprintf("+79160001%03d", round))
		}
	}, sqltest.WithClock(clock.Now))
}

// instance is a second one of the program beside the first.
func (w *world) instance() *domain.Service {
	w.t.Helper()
	redis, err := redisstore.Open(w.t.Context(), redisstore.Options{URL: w.redisURL, Prefix: w.redis.Prefix(), Deadline: time.Minute, ByCaller: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = redis.Close() })
	second := *w.Service
	second.Challenges, second.Limits, second.Throttle, second.Pacer = redis.Challenges(), redis.Limits(), redis.Throttle(), redis.Pacer()
	return &second
}

func (w *world) lossAmidGuesses(instances []*domain.Service, phone string) {
	t := w.t
	t.Helper()
	var visits []domain.Visit
	for range 12 {
		v, _ := w.asked(w.anna, phone)
		visits = append(visits, v)
		w.clock.Add(time.Second)
	}
	// At once, as FLUSHALL does; others may use this Redis too.
	flush := func() {
		err := w.redis.Client().Eval(t.Context(), `for _, key in ipairs(redis.call("KEYS", ARGV[1])) do redis.call("DEL", key) end`, nil,
			w.redis.Prefix()+"*").Err()
		if err != nil && !errors.Is(err, redis.Nil) {
			t.Error(err)
		}
	}
	rights := map[int64]string{}
	for _, m := range w.sms.Sent() {
		rights[m.MessageID] = codePattern.FindString(m.Text)
	}
	// Of four digits none is right for all visits: each guess is wrong for its own.
	guess := func(s *domain.Service, v domain.Visit, request string) error {
		m, err := w.DB.NewestCodeMessage(t.Context(), v.ID, *v.ContactID)
		if err != nil {
			return err
		}
		_, err = s.CheckCode(t.Context(), w.anna, v.ID, request, not(rights[m.ID]))
		return err
	}
	var all sync.WaitGroup
	start := make(chan struct{})
	for i, v := range visits {
		request := w.request()
		for tap := range 2 {
			all.Go(func() {
				<-start
				_ = guess(instances[(i+tap)%len(instances)], v, request)
			})
		}
	}
	for range 3 {
		all.Go(func() {
			<-start
			flush()
		})
	}
	close(start)
	all.Wait()
	// Whoever is let goes on, with new codes, until the phone is barred.
	for _, v := range visits {
		w.clock.Add(time.Second)
		if _, err := w.SendCode(t.Context(), w.anna, v.ID, w.request()); err != nil {
			continue
		}
		for _, m := range w.sms.Sent() {
			rights[m.MessageID] = codePattern.FindString(m.Text)
		}
		_ = guess(w.Service, v, w.request())
	}
	// One whose Redis was lost twice while it was judged has no answer; nobody
	// knows whether it was compared, so it is counted as if.
	wrong, lost := 0, 0
	for _, v := range visits {
		for _, verdict := range w.verdicts(v) {
			switch verdict {
			case string(domain.CheckWrong):
				wrong++
			case domain.VerdictAsked:
				lost++
			}
		}
	}
	if most := w.Settings.CodeTriesPerDay; wrong > most || wrong+lost < most {
		t.Errorf("%s: %d wrong codes were answered and %d not, want %d", phone, wrong, lost, most)
	}
	w.limitsAgree(phone)
}
