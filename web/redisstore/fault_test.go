package redisstore_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// refuses runs every kind of call at once; each must fail in time, and allow
// nothing.
func refuses(t *testing.T, s *redisstore.Store, h *talk) {
	t.Helper()
	budgets := []domain.Budget{budget(domain.LimitPromoAdvisor, "staff:1", 5, day)}
	var all sync.WaitGroup
	for what, call := range map[string]func() error{
		"Ping": func() error { return s.Ping(t.Context()) },
		"Open": func() error {
			res, err := h.open("open2")
			if res.Verdict != "" {
				t.Errorf("an SMS was judged without Redis: %+v", res)
			}
			return err
		},
		"Check": func() error {
			res, err := h.check("check", h.right)
			if res.Verdict != "" {
				t.Errorf("a code was judged without Redis: %+v", res)
			}
			return err
		},
		"Look":     func() error { _, err := s.Challenges().Look(t.Context(), h.lookRequest()); return err },
		"Spend":    func() error { _, err := s.Limits().Spend(t.Context(), "id", noon, budgets); return err },
		"Refund":   func() error { return s.Limits().Refund(t.Context(), "id", budgets) },
		"Standing": func() error { _, err := s.Limits().Standing(t.Context(), noon, budgets); return err },
		"Lift":     func() error { return s.Limits().Lift(t.Context(), budgets[0], noon) },
		"Restore":  func() error { return s.Limits().Restore(t.Context(), noon, reading(rows(budgets[0], 600))) },
		"Recorded": func() error { _, err := s.Limits().Recorded(t.Context()); return err },
		"Enter": func() error {
			entry, err := s.SignIns().Enter(t.Context(), tryOf("login", "address"))
			if entry.Lane != domain.NoLane {
				t.Errorf("a password may be looked at without Redis: %+v", entry)
			}
			return err
		},
		"Succeed": func() error {
			return s.SignIns().Succeed(t.Context(), tryOf("login", "address"), domain.LaneStranger, "password")
		},
		"Allow": func() error {
			ok, _, err := s.Throttle().Allow(t.Context(), "k", 5, time.Minute)
			if ok {
				t.Error("an attempt was allowed without Redis")
			}
			return err
		},
	} {
		all.Go(func() { mustBeUnavailable(t, what, call) })
	}
	all.Wait()
}

func TestPhoneCode_10_ADeadNetworkIsToldInTime(t *testing.T) {
	for name, kill := range map[string]func(*proxy){
		"stalls": func(p *proxy) { p.stall(true) },
		"closes": func(p *proxy) { p.cut() },
	} {
		t.Run(name, func(t *testing.T) {
			s, p := proxied(t)
			// A code on its way and a session exist before, so that answers would be good ones.
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			sessions, cookie := signedIn(t, s)
			kill(p)
			// Twice: first on connections from the pool, then on new ones.
			for range 2 {
				refuses(t, s, h)
				mustBeUnavailable(t, "a session", func() error { _, err := sessions.Get(request(t, cookie), redisstore.SessionCookie); return err })
			}
		})
	}
}

// A server that comes up from an old dump, like a replica that takes over with
// the last writes missing, remembers too little: it is not trusted.
func TestPhoneCode_10_ARedisFromAnOldDumpIsNotTrusted(t *testing.T) {
	r := privateRedis(t)
	s := open(t, r.url, "")
	h := begin(t, s)
	h.mustOpen("open", domain.OpenSend)
	h.mustCheck("wrong0", "wrong", domain.CheckWrong)
	if err := r.admin.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		h.mustCheck("later"+strconv.Itoa(i), "wrong", domain.CheckWrong)
	}
	r.stop()
	refuses(t, s, h)
	r.start()
	if n := r.admin.Exists(t.Context(), s.Marker()).Val(); n != 1 {
		t.Fatal("the dump was not read; the test shows nothing")
	}
	// What the dump knows would have two tries left.
	if res, err := h.check("right", h.right); !errors.Is(err, domain.ErrLimitsLost) {
		t.Errorf("a Redis from an old dump gave %+v, %v", res, err)
	}
	restore(t, s, nil)
	h.mustCheck("right", h.right, domain.CheckExpired)
}

// A process that has handed over, and takes over again later as a replica, has
// its own marker still, and nothing of what was counted in between. So what it
// had counted goes with the first that is put back elsewhere.
func TestPhoneCode_10_ARedisThatComesBackIsNotTrusted(t *testing.T) {
	r := privateRedis(t)
	s := open(t, r.url, "")
	h := begin(t, s)
	h.mustOpen("open", domain.OpenSend)
	h.mustCheck("wrong", "wrong", domain.CheckWrong)
	before := keys(t, s)
	if err := r.admin.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.start()
	if n := r.admin.Exists(t.Context(), before...).Val(); len(before) == 0 || int(n) != len(before) {
		t.Fatalf("%d of %d keys are left; the test shows nothing", n, len(before))
	}
	_, err := h.check("again", "wrong")
	if !errors.Is(err, domain.ErrLimitsLost) {
		t.Fatal(err)
	}
	b := h.sends()[0]
	restore(t, s, rows(b, 2))
	if n := r.admin.Exists(t.Context(), before...).Val(); n != 0 {
		t.Errorf("%d keys of the process before are left for it to come back to", n)
	}
	if n := recorded(t, s, b); n != 2 {
		t.Errorf("%d of 2 events are put back", n)
	}
}

// afterEach does something after each command that was carried out.
type afterEach struct{ then func() }

func (afterEach) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h afterEach) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if err == nil {
			h.then()
		}
		return err
	}
}

func (afterEach) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Redis stops and comes up again between two parts of what is put back. The
// new process has got only the last parts, and must not judge by them.
func TestPhoneCode_10_ARedisThatGotHalfIsNotTrusted(t *testing.T) {
	r := privateRedis(t)
	s := open(t, r.url, "")
	b := budget(domain.LimitPromoAdvisor, "staff:1", 5, day)
	all := append(rows(b, 5), rows(budget(domain.LimitPromoStore, "store:1", 2000, day), 1201)...)
	s.Client().AddHook(afterEach{sync.OnceFunc(func() {
		r.stop()
		r.start()
	})})
	err := s.Limits().Restore(t.Context(), noon, reading(all))
	if !errors.Is(err, domain.ErrLimitsLost) {
		t.Errorf("the restore that lost its first part: %v", err)
	}
	if got, err := s.Limits().Standing(t.Context(), noon, []domain.Budget{b}); !errors.Is(err, domain.ErrLimitsLost) {
		t.Errorf("five of five are used up, and a Redis that was told nothing of it says %+v, %v", got, err)
	}
	restore(t, s, all)
	if got, err := s.Limits().Standing(t.Context(), noon, []domain.Budget{b}); err != nil || got[0].Name != b.Name {
		t.Errorf("put back as a whole: %+v, %v", got, err)
	}
}

func TestPhoneCode_10_ARedisThatStoppedHasLostItsMemory(t *testing.T) {
	r := privateRedis(t)
	s := open(t, r.url, "")
	h := begin(t, s)
	h.mustOpen("open", domain.OpenSend)
	for i := range 3 {
		h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong)
	}
	h.now = noon.Add(30 * time.Second)
	h.with("second")
	h.mustOpen("open1", domain.OpenSend)
	h.mustCheck("wrong3", "wrong", domain.CheckWrong)
	var counted []domain.Counted
	for _, b := range append(h.wrongs()[1:], h.sends()...) {
		for i, at := range recordedAt(t, s, b) {
			counted = append(counted, domain.Counted{Kind: b.Kind, Subject: b.Subject, ID: "row:" + strconv.Itoa(i), At: at, Keep: b.Keep})
		}
	}
	r.stop()
	refuses(t, s, h)
	r.start()
	// The first thing after the outage is the right code.
	if res, err := h.check("right", h.right); !errors.Is(err, domain.ErrLimitsLost) {
		t.Errorf("a Redis without memory gave %+v, %v", res, err)
	}
	restore(t, s, counted)
	h.mustCheck("right", h.right, domain.CheckExpired)
	h.now = noon.Add(time.Minute)
	h.with("third")
	if res := h.mustOpen("open3", domain.OpenSend); res.State.Left != 1 {
		t.Errorf("4 of 5 wrong guesses were counted before the outage, and then %+v", res)
	}
	if res := h.mustCheck("wrong5", "wrong", domain.CheckWrong); res.Left != 0 || res.Limit.Name != domain.LimitPhoneLock {
		t.Errorf("the 5th wrong guess gave %+v", res)
	}
	h.mustCheck("right", h.right, domain.CheckLimited)
}

func TestPhoneCode_10_ARedisThatPausedCountsOnce(t *testing.T) {
	r := privateRedis(t)
	s := open(t, r.url, "")
	begin(t, s).mustCheck("so that the script is known", "wrong", domain.CheckExpired)
	h := begin(t, s)
	h.mustOpen("open", domain.OpenSend)
	// In the middle of a check: what was sent lies with the paused server and is carried out when it goes on, though the
	// caller has been told that it failed. The same form once more must find that, and not count again.
	inThePause := func(requestID, digest string) {
		t.Helper()
		r.pause()
		mustBeUnavailable(t, "Check", func() error { _, err := h.check(requestID, digest); return err })
		r.resume()
	}
	inThePause("wrong", "wrong")
	if res := h.mustCheck("wrong", "wrong", domain.CheckWrong); !res.Repeated || res.Left != 2 {
		t.Errorf("the wrong code once more gave %+v", res)
	}
	if h.compared() != 1 || h.counted() != 1 {
		t.Errorf("a wrong code was compared %d and counted %d times", h.compared(), h.counted())
	}
	inThePause("right", h.right)
	if res := h.mustCheck("right", h.right, domain.CheckRight); !res.Repeated || res.Left != 2 {
		t.Errorf("the right code once more gave %+v", res)
	}
	if h.compared() != 2 || h.counted() != 1 {
		t.Errorf("two codes were compared %d times and %d counted", h.compared(), h.counted())
	}

	r.pause()
	refuses(t, s, h)
	r.resume()
	other := begin(t, s)
	r.pause()
	mustBeUnavailable(t, "Open", func() error { _, err := other.open("open"); return err })
	r.resume()
	res, err := other.open("open")
	if err != nil || res.Verdict != domain.OpenRepeated || recorded(t, s, other.sends()[0]) != 1 {
		t.Errorf("an SMS once more gave %+v, %v, with %d counted", res, err, recorded(t, s, other.sends()[0]))
	}
}

func TestPhoneCode_10_ARedisOutOfMemoryVerifiesNothing(t *testing.T) {
	r := privateRedis(t)
	s := open(t, r.url, "")
	h := begin(t, s)
	h.mustOpen("open", domain.OpenSend)
	sessions, cookie := signedIn(t, s)
	before := snapshot(t, s)
	budgets := []domain.Budget{budget(domain.LimitPromoAdvisor, "staff:1", 5, day)}
	r.memory("1")
	for range 10 {
		mustBeUnavailable(t, "Check", func() error { _, err := h.check("right", h.right); return err })
	}
	mustBeUnavailable(t, "a wrong Check", func() error { _, err := h.check("wrong", "wrong"); return err })
	h.now = noon.Add(30 * time.Second)
	mustBeUnavailable(t, "Open", func() error { _, err := h.open("again"); return err })
	mustBeUnavailable(t, "Spend", func() error { _, err := s.Limits().Spend(t.Context(), "id", noon, budgets); return err })
	mustBeUnavailable(t, "Lift", func() error { return s.Limits().Lift(t.Context(), h.wrongs()[0], noon) })
	mustBeUnavailable(t, "Allow", func() error {
		ok, _, err := s.Throttle().Allow(t.Context(), "k", 5, time.Minute)
		if ok {
			t.Error("an attempt was allowed without being counted")
		}
		return err
	})
	mustBeUnavailable(t, "Enter", func() error {
		entry, err := s.SignIns().Enter(t.Context(), tryOf("login", "address"))
		if entry.Lane != domain.NoLane {
			t.Error("a password may be looked at without being counted")
		}
		return err
	})
	mustBeUnavailable(t, "Save", func() error {
		r := request(t, cookie)
		session, err := sessions.Get(r, redisstore.SessionCookie)
		if err != nil {
			t.Fatal(err)
		}
		session.Values["staff"] = int64(99)
		return session.Save(r, recorder())
	})
	if after := snapshot(t, s); after != before {
		t.Errorf("without memory something was written all the same:\n%s\nand before\n%s", after, before)
	}
	r.memory("0")
	if res := h.mustCheck("right", h.right, domain.CheckRight); res.Repeated || res.Left != 3 || h.compared() != 1 || h.counted() != 0 {
		t.Errorf("with memory again: %+v, %d compares, %d counted", res, h.compared(), h.counted())
	}
	// A restore without memory breaks off, and leaves nothing to be trusted.
	lose(t, s)
	r.memory("1")
	mustBeUnavailable(t, "Restore", func() error { return s.Limits().Restore(t.Context(), noon, reading(rows(budgets[0], 600))) })
	if _, err := s.Limits().Standing(t.Context(), noon, budgets); !errors.Is(err, domain.ErrLimitsLost) {
		t.Errorf("after a restore without memory: %v", err)
	}
}

func TestPhoneCode_10_ScriptsThatAreForgottenCountOnce(t *testing.T) {
	// On a server of its own, as forgetting scripts is for all who use it.
	for name, url := range map[string]func(*testing.T) string{
		"in-process": func(*testing.T) string { return "" },
		"real":       func(t *testing.T) string { return privateRedis(t).url },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, url(t), "")
			forget := func() {
				t.Helper()
				if err := s.Client().ScriptFlush(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
			}
			h := begin(t, s)
			forget()
			h.mustOpen("open", domain.OpenSend)
			forget()
			h.mustCheck("wrong", "wrong", domain.CheckWrong)
			forget()
			h.mustCheck("right", h.right, domain.CheckRight)
			forget()
			if ok, _, err := s.Throttle().Allow(t.Context(), "k", 5, time.Minute); err != nil || !ok {
				t.Errorf("allow after a flush: %v, %v", ok, err)
			}

			all := phones(t, s, 32)
			for _, h := range all {
				h.caps[domain.LimitAdvisor] = 100
			}
			got := parallel(t, 64, func(i int) (domain.CheckVerdict, error) {
				if i%2 == 1 {
					return "flushed", s.Client().ScriptFlush(t.Context()).Err()
				}
				res, err := all[i/2].check("check", "wrong")
				return res.Verdict, err
			})
			if got[domain.CheckWrong] != 32 || recorded(t, s, all[0].wrongs()[2]) != 32 {
				t.Errorf("32 wrong codes while scripts were forgotten gave %v, %d counted", got, recorded(t, s, all[0].wrongs()[2]))
			}
			for _, h := range all {
				if h.compared() != 1 {
					t.Errorf("a wrong code was compared %d times", h.compared())
				}
			}
		})
	}
}
