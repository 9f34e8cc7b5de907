package domain_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// trouble comes at one point of the way of a form: at a command to Redis or at
// a transaction, before it or just after it was carried out.
type trouble struct {
	kind   troubleKind
	after  bool
	at     int // of the point, from 1
	n      int // points so far
	off    bool
	once   bool               // nobody sends a form again that had no answer
	cancel context.CancelFunc // of the form that is on its way
}

type troubleKind string

const (
	killed troubleKind = "killed"       // nothing of the program goes on
	cutOff troubleKind = "cut"          // the answer is lost, and the program hears of it
	hungUp troubleKind = "browser left" // the program goes on
	noMore troubleKind = "database cut" // the same of the database
)

// meets runs one point.
func (tr *trouble) meets(inDatabase bool, run func() error) error {
	if tr.off || (tr.kind == noMore) != inDatabase && tr.kind != killed && tr.kind != hungUp {
		return run()
	}
	tr.n++
	if tr.n != tr.at {
		return run()
	}
	if tr.after {
		if err := run(); redis.HasErrorPrefix(err, "NOSCRIPT") {
			tr.at++ // it comes once more, whole
			return err
		}
	}
	switch tr.kind {
	case killed:
		runtime.Goexit()
	case hungUp:
		tr.cancel()
		if !tr.after {
			return run()
		}
		return nil
	}
	return errCut
}

func (tr *trouble) DialHook(next redis.DialHook) redis.DialHook { return next }

func (tr *trouble) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := tr.meets(false, func() error { return next(ctx, cmd) })
		if errors.Is(err, errCut) {
			cmd.SetErr(err)
		}
		return err
	}
}

func (tr *trouble) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := tr.meets(false, func() error { return next(ctx, cmds) })
		for _, cmd := range cmds {
			if errors.Is(err, errCut) {
				cmd.SetErr(err)
			}
		}
		return err
	}
}

// troubled is a database whose transactions meet trouble.
type troubled struct {
	domain.Database
	*trouble
}

func (d troubled) InTx(ctx context.Context, f func(context.Context, domain.Tx) error) error {
	err := d.meets(true, func() error { return d.Database.InTx(ctx, f) })
	if errors.Is(err, errCut) {
		return &domain.Error{Kind: domain.Unavailable, Message: domain.Say("error.unavailable"), Err: err}
	}
	return err
}

var errKilled = &domain.Error{Kind: domain.Unavailable, Err: errors.New("the program was killed")}

// posts sends a form as a browser does that sends it once more where there was
// no answer.
func (tr *trouble) posts(form func(ctx context.Context) error) (err error) {
	for range 2 {
		err = errKilled
		var one sync.WaitGroup
		ctx, cancel := context.WithCancel(context.Background())
		tr.cancel = cancel
		one.Go(func() { err = form(ctx) })
		one.Wait()
		left := ctx.Err() != nil
		cancel()
		if tr.once || domain.KindOf(err) != domain.Unavailable && !left {
			return err
		}
	}
	return err
}

// somewhere is the counter, or with page the customer's page.
func (w *world) somewhere(ctx context.Context, page bool, v domain.Visit, request, code string) (err error) {
	switch {
	case page && code == "":
		return w.SelfSend(ctx, v.SelfToken, request, customersAddress)
	case page:
		return w.SelfCheck(ctx, v.SelfToken, request, code, customersAddress)
	case code == "":
		_, err = w.SendCode(ctx, w.anna, v.ID, request)
	default:
		_, err = w.CheckCode(ctx, w.anna, v.ID, request, code)
	}
	return err
}

// The program is killed, a connection cut, or a browser leaves, at every point
// in turn of a visit with its codes. Each code that was typed is judged once
// and on record once, the right one verifies, an SMS leaves at most once for
// each form, and Redis, the rows, and a Redis filled from the rows agree. Where
// nobody sends a form once more, what Redis has judged is found all the same.
func TestTroubleAtAnyPointLosesNothing(t *testing.T) {
	for _, c := range []struct {
		trouble
		page bool
	}{
		{trouble{kind: killed, after: true}, false},
		{trouble{kind: killed, after: true, once: true}, true},
		{trouble{kind: cutOff, after: true, once: true}, true},
		{trouble{kind: hungUp}, false},
		{trouble{kind: noMore, after: true}, false},
	} {
		t.Run(fmt.Sprintf("%s, after: %t, once: %t, on a page: %t", c.kind, c.after, c.once, c.page), func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				promo := w.referral("+79160000001")
				w.exec(`UPDATE promo_codes SET expires_at = NULL, max_uses = 1000 WHERE id = $1`, promo.ID)
				for at := 1; ; at++ {
					// Nobody's limits of the last round are in the way of this one.
					w.clock.Add(200 * 24 * time.Hour)
					tr := c.trouble
					tr.at = at
					if w.visitInTrouble(&tr, c.page, promo) {
						if at < 8 {
							t.Fatalf("a visit has %d points; the trouble met nothing", at)
						}
						break
					}
				}
				if n := w.count(`SELECT count(*) FROM promo_refusals WHERE reason = 'asked'`); n != 0 {
					t.Errorf("%d promo codes are asked for ever", n)
				}
				w.sound()
			})
		})
	}
}

// visitInTrouble tells whether the visit was over before the trouble came.
func (w *world) visitInTrouble(tr *trouble, page bool, promo domain.PromoCode) (over bool) {
	t, db, when := w.t, w.DB, fmt.Sprintf("at point %d", tr.at)
	t.Helper()
	defer func() { w.DB = db }()
	w.newRedis()
	// The limits are filled before: how often that asks is another matter.
	if _, _, err := w.CodeState(t.Context(), w.anna, w.contacted(w.anna, phoneB), domain.EntryAdvisor); err != nil {
		t.Fatal(err)
	}
	v := w.must(w.DeferCode(t.Context(), w.anna, w.contacted(w.anna, phoneA).ID)) // which gives it a page
	w.redis.Client().AddHook(tr)
	w.DB = troubled{db, tr}
	post := func(code string) error {
		form := w.request()
		return tr.posts(func(ctx context.Context) error { return w.somewhere(ctx, page, v, form, code) })
	}
	lost := func(err error) bool { return tr.once && domain.KindOf(err) == domain.Unavailable }

	sent := len(w.sms.Sent())
	if err := post(""); err != nil && !lost(err) {
		t.Errorf("%s: send: %v", when, err)
	}
	switch left := len(w.sms.Sent()) - sent; left {
	case 0:
		// Nobody knows whether the one that was claimed has left. The next one does.
		w.clock.Add(3 * time.Minute)
		if err := post(""); err != nil || len(w.sms.Sent()) != sent+1 {
			t.Fatalf("%s: no SMS leaves: %v", when, err)
		}
	case 1:
	default:
		t.Errorf("%s: %d SMS left for one form", when, left)
	}
	right, wrong := w.codeOf(phoneA), 0
	for range 2 {
		if err := post(not(right)); said(err) == "code.wrong" {
			wrong++
		} else if !lost(err) {
			t.Errorf("%s: a wrong code: %v", when, err)
		}
	}
	if err := post(right); lost(err) {
		// It is typed again where the screen does not say by now that it was right.
		if now, _, err := w.CodeState(t.Context(), w.anna, w.visit(v.ID), domain.EntryAdvisor); err != nil || now.VerifiedAt == nil {
			err = post(right)
			if err != nil {
				t.Errorf("%s: the right code once more: %v", when, err)
			}
		}
	} else if err != nil {
		t.Errorf("%s: the right code: %v", when, err)
	}
	for _, code := range []string{"0000000000", promo.Code} {
		err := tr.posts(func(ctx context.Context) error { _, err := w.ApplyPromo(ctx, w.anna, v.ID, code); return err })
		if code == promo.Code && err != nil && !lost(err) {
			t.Errorf("%s: the promo code: %v", when, err)
		}
	}
	over, tr.off, w.DB = tr.n < tr.at, true, db

	w.limitsAgree(when)
	w.clock.Add(10 * time.Minute)
	if _, err := w.SettleAttempts(t.Context()); err != nil {
		t.Errorf("%s: settle: %v", when, err)
	}
	w.limitsAgree(when + ", settled")
	record := map[string]int{}
	for _, verdict := range w.verdicts(v) {
		record[verdict]++
	}
	wrongs, sends := w.counted(domain.CountedWrong, phoneA), w.counted(domain.CountedSend, phoneA)
	if wrongs < wrong || wrongs > 2 || record["wrong"] != wrongs || record["right"] != 1 || record[domain.VerdictAsked] > 0 || sends < 1 {
		t.Errorf("%s: %d wrong codes were answered, %d and %d SMS are counted; on record: %v", when, wrong, wrongs, sends, record)
	}
	if w.visit(v.ID).VerifiedAt == nil {
		t.Errorf("%s: not verified", when)
	}
	w.newRedis()
	if _, _, err := w.CodeState(t.Context(), w.anna, w.contacted(w.anna, phoneA), domain.EntryAdvisor); err != nil {
		t.Fatal(err)
	}
	if a, b := w.counted(domain.CountedWrong, phoneA), w.counted(domain.CountedSend, phoneA); a != wrongs || b != sends {
		t.Errorf("%s: filled from the rows, Redis counts %d wrong codes and %d SMS, before %d and %d", when, a, b, wrongs, sends)
	}
	w.limitsAgree(when + ", filled anew")
	return over
}
