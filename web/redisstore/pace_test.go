package redisstore_test

import (
	"sync"
	"testing"
	"time"

	"prilavok/web/redisstore"
)

// Places of a row lie a step apart however many ask at once, and a place that
// is too far away is not taken.
func TestPace(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		const callers, perSecond = 50, 10
		var mu sync.Mutex
		var waits []time.Duration
		refused := 0
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				wait, ok, err := s.Pacer().Pace(t.Context(), "a", perSecond, 2*time.Second)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case ok:
					waits = append(waits, wait)
				default:
					refused++
					if wait <= 2*time.Second {
						t.Errorf("refused although the place is %v away", wait)
					}
				}
			})
		}
		all.Wait()
		// Two seconds hold 21 places at ten a second, and some more for the time
		// that the asking itself took.
		if len(waits) < 21 || len(waits)+refused != callers {
			t.Errorf("%d places and %d refusals", len(waits), refused)
		}
		if wait, ok, err := s.Pacer().Pace(t.Context(), "b", perSecond, 0); err != nil || !ok || wait != 0 {
			t.Errorf("the first place of another row: %v, %t, %v", wait, ok, err)
		}
		if _, ok, err := s.Pacer().Pace(t.Context(), "c", 0, time.Hour); err != nil || ok {
			t.Errorf("a row without places gave one: %v", err)
		}
	})
}
