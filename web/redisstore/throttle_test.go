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
		for i := range limit {
			if ok, wait := allow("a"); !ok || wait != 0 {
				t.Fatalf("attempt %d: %v, wait %v", i+1, ok, wait)
			}
		}
		// One attempt comes back every window/limit: 3 minutes.
		if ok, wait := allow("a"); ok || wait > 3*time.Minute || wait < 2*time.Minute {
			t.Errorf("when all is spent: %v, wait %v; expected about 3m", ok, wait)
		}
		if ok, _ := allow("b"); !ok {
			t.Error("another key is refused too")
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
		}
	})
}
