package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

func TestOpenRefusesARedisThatMayEvict(t *testing.T) {
	url, admin := privateRedis(t)
	start := func(url string) (string, error) {
		var log strings.Builder
		s, err := redisstore.Open(t.Context(), redisstore.Options{URL: url, Logger: textLogger(&log)})
		if err == nil {
			err = s.Close()
		}
		return log.String(), err
	}
	// Users of managed services: one may not ask CONFIG, one may not ask INFO either.
	for _, rules := range [][]any{
		{"ACL", "SETUSER", "noconfig", "on", ">secret", "~*", "+@all", "-config"},
		{"ACL", "SETUSER", "noinfo", "on", ">secret", "~*", "+@all", "-config", "-info"},
	} {
		if err := admin.Do(t.Context(), rules...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	as := func(user string) string { return strings.Replace(url, "unix://", "unix://"+user+":secret@", 1) }

	for _, tt := range []struct {
		policy, url string
		refused     bool
		warned      bool
	}{
		{"noeviction", url, false, false},
		{"allkeys-lru", url, true, false},
		{"volatile-ttl", url, true, false},
		{"noeviction", as("noconfig"), false, false},
		{"allkeys-lru", as("noconfig"), true, false},
		{"allkeys-lru", as("noinfo"), false, true},
	} {
		if err := admin.ConfigSet(t.Context(), "maxmemory-policy", tt.policy).Err(); err != nil {
			t.Fatal(err)
		}
		log, err := start(tt.url)
		if refused := err != nil; refused != tt.refused || refused && !strings.Contains(err.Error(), tt.policy) {
			t.Errorf("%s as %s: %v; refused must be %v", tt.policy, tt.url, err, tt.refused)
		}
		if warned := strings.Contains(log, "maxmemory-policy"); warned != tt.warned {
			t.Errorf("%s as %s: logged %q; warned must be %v", tt.policy, tt.url, log, tt.warned)
		}
	}
}

func TestOpenKeepsThePasswordToItself(t *testing.T) {
	for _, url := range []string{"redis://user:topsecret@bad host:6379", "http://user:topsecret@127.0.0.1", "redis://user:topsecret@127.0.0.1:1/0"} {
		_, err := redisstore.Open(t.Context(), redisstore.Options{URL: url})
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("an address that cannot work gave %v", err)
		}
	}
}

func TestEmbeddedRedisAsksForAPassword(t *testing.T) {
	s := open(t, "", "")
	stranger := redis.NewClient(&redis.Options{Addr: s.Client().Options().Addr, MaxRetries: -1})
	defer func() { _ = stranger.Close() }()
	if err := stranger.Get(t.Context(), "anything").Err(); err == nil || errors.Is(err, redis.Nil) {
		t.Errorf("another user of the machine reads the in-process Redis: %v", err)
	}
}

func TestEmbeddedRedisForgets(t *testing.T) {
	s := open(t, "", "")
	if err := s.Client().Set(t.Context(), s.Prefix()+"session:x", 1, 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	// The clock of the in-process Redis ticks once a second and tells nobody.
	for end := time.Now().Add(10 * time.Second); s.Client().Exists(t.Context(), s.Prefix()+"session:x").Val() == 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a key of the in-process Redis outlives its TTL")
		}
	}
}

func TestDeadRedisIsToldInTime(t *testing.T) {
	for name, kill := range map[string]func(*proxy){
		"stalls": func(p *proxy) { p.stall(true) },
		"closes": func(p *proxy) { p.cut() },
	} {
		t.Run(name, func(t *testing.T) {
			s, p := proxied(t)
			c := s.Challenges()
			// A verified phone and a session exist before, so that answers would be good ones.
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			sessions, cookie := signedIn(t, s)
			kill(p)
			// Twice: first on connections from the pool, then on new ones.
			for range 2 {
				var all sync.WaitGroup
				for what, call := range map[string]func() error{
					"Ping": func() error { return s.Ping(t.Context()) },
					"Open": func() error { _, err := c.Open(t.Context(), h.openRequest("open2")); return err },
					"Check": func() error {
						res, err := c.Check(t.Context(), h.checkRequest("check", h.right))
						if res.Verdict == domain.CheckRight {
							t.Error("a code was verified without Redis")
						}
						return err
					},
					"Look": func() error { _, err := c.Look(t.Context(), h.phone, h.visit, noon); return err },
					"Allow": func() error {
						ok, _, err := s.Throttle().Allow(t.Context(), "k", 5, time.Minute)
						if ok {
							t.Error("an attempt was allowed without Redis")
						}
						return err
					},
					"a session": func() error { _, err := sessions.Get(request(t, cookie), redisstore.SessionCookie); return err },
				} {
					all.Go(func() { mustBeUnavailable(t, what, call) })
				}
				all.Wait()
			}
		})
	}
}

func TestConnectionsThatDiedAreReplaced(t *testing.T) {
	s, p := proxied(t)
	// The server may close what lies in the pool at any time; with one attempt
	// for each command, that must not reach the caller.
	for range 5 {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.drop()
		// The end of a connection needs a moment to arrive through the kernel.
		time.Sleep(20 * time.Millisecond)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("after the connections were closed: %v", err)
	}
}

func TestCancelledRequest(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		mustBeUnavailable(t, "Ping", func() error { return s.Ping(ctx) })
	})
}

func TestRedisOutOfMemoryVerifiesNothing(t *testing.T) {
	url, admin := privateRedis(t)
	s := open(t, url, "")
	h := begin(t, s)
	h.mustOpen("open", domain.OpenSend)
	sessions, cookie := signedIn(t, s)
	memory := func(limit string) {
		t.Helper()
		if err := admin.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
			t.Fatal(err)
		}
	}
	memory("1")
	for range 10 {
		mustBeUnavailable(t, "Check", func() error {
			_, err := s.Challenges().Check(t.Context(), h.checkRequest("right", h.right))
			return err
		})
	}
	mustBeUnavailable(t, "a wrong Check", func() error {
		_, err := s.Challenges().Check(t.Context(), h.checkRequest("wrong", "wrong"))
		return err
	})
	h.now = noon.Add(30 * time.Second)
	mustBeUnavailable(t, "Open", func() error { _, err := s.Challenges().Open(t.Context(), h.openRequest("again")); return err })
	mustBeUnavailable(t, "Allow", func() error {
		ok, _, err := s.Throttle().Allow(t.Context(), "k", 5, time.Minute)
		if ok {
			t.Error("an attempt was allowed without being counted")
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
	if state := h.look(); state.Verified || state.Left != 3 || state.Sends != 1 || h.compared() != 0 {
		t.Errorf("without memory something happened all the same: %+v, %d compares", state, h.compared())
	}
	memory("0")
	h.mustCheck("right", h.right, domain.CheckRight)
}

func TestScriptsAreSentAgain(t *testing.T) {
	url, admin := privateRedis(t)
	s := open(t, url, "")
	h := begin(t, s)
	flush := func() {
		t.Helper()
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	h.mustOpen("open", domain.OpenSend)
	flush()
	h.mustCheck("wrong", "wrong", domain.CheckWrong)
	flush()
	h.mustCheck("right", h.right, domain.CheckRight)
	flush()
	if ok, _, err := s.Throttle().Allow(t.Context(), "k", 5, time.Minute); err != nil || !ok {
		t.Errorf("allow after a flush: %v, %v", ok, err)
	}
}
