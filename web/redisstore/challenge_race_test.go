package redisstore_test

import (
	"strconv"
	"sync"
	"testing"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// parallel runs n calls at once and counts their answers.
func parallel[T comparable](t *testing.T, n int, call func(i int) (T, error)) map[T]int {
	t.Helper()
	var (
		start = make(chan struct{})
		mu    sync.Mutex
		all   sync.WaitGroup
		count = map[T]int{}
	)
	for i := range n {
		all.Go(func() {
			<-start
			answer, err := call(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			count[answer]++
		})
	}
	close(start)
	all.Wait()
	return count
}

func (h *talk) parallelChecks(n int, digest func(i int) string) map[domain.CheckVerdict]int {
	return parallel(h.t, n, func(i int) (domain.CheckVerdict, error) {
		res, err := h.store.Challenges().Check(h.t.Context(), h.checkRequest("parallel"+strconv.Itoa(i), digest(i)))
		return res.Verdict, err
	})
}

func TestParallelRightCodesGiveOneSuccess(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			got := h.parallelChecks(32, func(int) string { return h.right })
			if got[domain.CheckRight] != 1 || got[domain.CheckUsed] != 31 {
				t.Fatalf("32 right codes at once gave %v; expected one right and 31 used", got)
			}
		}
	})
}

func TestParallelWrongCodesAreComparedThreeTimes(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			got := h.parallelChecks(32, func(i int) string { return "wrong" + strconv.Itoa(i) })
			if got[domain.CheckWrong] != 3 || got[domain.CheckLocked] != 29 || h.compared() != 3 {
				t.Fatalf("32 wrong codes at once gave %v with %d compares; expected 3 wrong, 29 locked, 3 compares", got, h.compared())
			}
			h.mustCheck("last", h.right, domain.CheckLocked)
		}
	})
}

func TestParallelGuessesWithTheRightOneAmongThem(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			got := h.parallelChecks(32, func(i int) string {
				if i == 16 {
					return h.right
				}
				return "wrong" + strconv.Itoa(i)
			})
			if got[domain.CheckRight] > 1 || got[domain.CheckWrong] > 3 || h.compared() > 4 {
				t.Fatalf("gave %v with %d compares", got, h.compared())
			}
		}
	})
}

func TestParallelOpensSendOneSMS(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			h := begin(t, s)
			got := parallel(t, 32, func(i int) (domain.OpenVerdict, error) {
				r := h.openRequest("open" + strconv.Itoa(i))
				r.VisitID = int64(i % 4) // four tills, one phone
				res, err := s.Challenges().Open(t.Context(), r)
				return res.Verdict, err
			})
			if got[domain.OpenSend] != 1 || got[domain.OpenWait] != 31 {
				t.Fatalf("32 opens at once gave %v; expected one send", got)
			}
		}
	})
}

func TestParallelRepeatsCountOnce(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		opens := parallel(t, 16, func(int) (domain.OpenVerdict, error) {
			res, err := s.Challenges().Open(t.Context(), h.openRequest("tap"))
			return res.Verdict, err
		})
		if opens[domain.OpenSend] != 1 || opens[domain.OpenRepeated] != 15 {
			t.Errorf("16 taps on send gave %v", opens)
		}
		repeats := parallel(t, 16, func(int) (bool, error) {
			res, err := s.Challenges().Check(t.Context(), h.checkRequest("tap", "wrong"))
			return res.Repeated, err
		})
		if repeats[false] != 1 || h.compared() != 1 {
			t.Errorf("16 taps on check: repeated %v, %d compares", repeats, h.compared())
		}
	})
}
