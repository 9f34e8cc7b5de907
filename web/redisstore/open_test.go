package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/web/redisstore"
)

func TestOpenRefusesARedisThatMayEvict(t *testing.T) {
	r := privateRedis(t)
	url, admin := r.url, r.admin
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
		// Without it a server from an old dump can't be told from the one that counted.
		if nameless := strings.Contains(log, "run_id"); nameless != tt.warned {
			t.Errorf("%s as %s: logged %q; must it tell that the server has no name? %v", tt.policy, tt.url, log, tt.warned)
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
