package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"prilavok/web/redisstore"
)

func TestThrottle(t *testing.T) {
	const limit, window = 5, 15 * time.Minute
	each(t, func(t *testing.T, s *redisstore.Store) {
		throttle := s.Throttle()
		allow := func(key string) (bool, time.Duration) {
			t.Helper()
			ok, wait, err := throttle.Allow(t.Context(), key, limit, window)
			if err != nil {
				t.Fatal(err)
			}
			checkTTLs(t, s)
			return ok, wait
		}
		peek := func(key string) (bool, time.Duration) {
			t.Helper()
			ok, wait, err := throttle.Peek(t.Context(), key, limit, window)
			if err != nil {
				t.Fatal(err)
			}
			return ok, wait
		}
		for i := range limit {
			for range 3 {
				if ok, wait := peek("a"); !ok || wait != 0 {
					t.Fatalf("a look before attempt %d: %v, wait %v", i+1, ok, wait)
				}
			}
			if ok, wait := allow("a"); !ok || wait != 0 {
				t.Fatalf("attempt %d: %v, wait %v", i+1, ok, wait)
			}
		}
		// One attempt comes back every window/limit: 3 minutes.
		for name, ask := range map[string]func(string) (bool, time.Duration){"allow": allow, "peek": peek} {
			if ok, wait := ask("a"); ok || wait > 3*time.Minute || wait < 2*time.Minute {
				t.Errorf("%s when all is spent: %v, wait %v; expected about 3m", name, ok, wait)
			}
		}
		if ok, _ := allow("b"); !ok {
			t.Error("another key is refused too")
		}
		if err := throttle.Reset(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if ok, _ := allow("a"); !ok {
			t.Error("refused after a reset")
		}
		for _, key := range keys(t, s) {
			if !strings.HasPrefix(key, s.Prefix()+"rate:") {
				t.Errorf("a key of another kind: %s", key)
			}
		}
		if n := len(keys(t, s)); n != 2 {
			t.Errorf("%d keys under the prefix; expected 2", n)
		}
	})
}

func TestThrottleInParallel(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		got := parallel(t, 32, func(int) (bool, error) {
			ok, _, err := s.Throttle().Allow(t.Context(), "k", 5, 15*time.Minute)
			return ok, err
		})
		if got[true] != 5 {
			t.Errorf("%d of 32 attempts at once were allowed; expected 5", got[true])
		}
	})
}

func TestThrottleWithoutALimitRefuses(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for _, limit := range []int{0, -1} {
			ok, wait, err := s.Throttle().Allow(t.Context(), "k", limit, time.Minute)
			if ok || wait != time.Minute || err != nil {
				t.Errorf("a limit of %d: %v, wait %v, %v", limit, ok, wait, err)
			}
			if ok, _, _ := s.Throttle().Peek(t.Context(), "k", limit, time.Minute); ok {
				t.Errorf("a look at a limit of %d allows", limit)
			}
		}
	})
}
