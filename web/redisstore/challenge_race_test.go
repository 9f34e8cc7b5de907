package redisstore_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

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
		res, err := h.check("parallel"+strconv.Itoa(i), digest(i))
		return res.Verdict, err
	})
}

// phones are n visits of one advisor in one store, each with a phone of its
// own and a code on its way.
func phones(t *testing.T, s *redisstore.Store, n int) []*talk {
	t.Helper()
	first := begin(t, s)
	all := make([]*talk, n)
	for i := range all {
		all[i] = begin(t, s)
		all[i].advisor, all[i].shop = first.advisor, first.shop
		all[i].caps[domain.LimitSendAdvisor] = n
		if res, err := all[i].open("open"); err != nil || res.Verdict != domain.OpenSend {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	return all
}

func TestPhoneCode_01_ParallelRightCodesGiveOneSuccess(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			got := h.parallelChecks(32, func(int) string { return h.right })
			if got[domain.CheckRight] != 1 || got[domain.CheckUsed] != 31 || h.counted() != 0 {
				t.Fatalf("32 right codes at once gave %v and %d wrong ones; expected one right and 31 used", got, h.counted())
			}
		}
	})
}

func TestPhoneCode_02_ParallelWrongCodesAreComparedThreeTimes(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			got := h.parallelChecks(32, func(i int) string { return "wrong" + strconv.Itoa(i) })
			if got[domain.CheckWrong] != 3 || got[domain.CheckLocked] != 29 || h.compared() != 3 || h.counted() != 3 {
				t.Fatalf("32 wrong codes at once gave %v with %d compares; expected 3 wrong, 29 locked, 3 compares", got, h.compared())
			}
			h.mustCheck("last", h.right, domain.CheckLocked)
		}
	})
}

func TestPhoneCode_02_ParallelWrongCodesWithTheRightOneAmongThem(t *testing.T) {
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
			if got[domain.CheckRight] > 1 || got[domain.CheckWrong] > 3 || h.compared() != got[domain.CheckRight]+got[domain.CheckWrong] || h.counted() != got[domain.CheckWrong] {
				t.Fatalf("gave %v with %d compares and %d counted", got, h.compared(), h.counted())
			}
		}
	})
}

func TestPhoneCode_02_ParallelWrongCodesOfOneAdvisorAreComparedTenTimes(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		all := phones(t, s, 64)
		got := parallel(t, len(all), func(i int) (domain.CheckVerdict, error) {
			res, err := all[i].check("check", "wrong")
			return res.Verdict, err
		})
		compared := 0
		for _, h := range all {
			compared += h.compared()
		}
		if got[domain.CheckWrong] != 10 || got[domain.CheckLimited] != 54 || compared != 10 {
			t.Errorf("64 wrong codes for 64 phones of one advisor gave %v with %d compares; expected 10", got, compared)
		}
		for _, h := range all {
			h.mustCheck("last", h.right, domain.CheckLimited)
		}
	})
}

func TestPhoneCode_05_ParallelOpensSendOneSMS(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			h := begin(t, s)
			got := parallel(t, 32, func(i int) (domain.OpenVerdict, error) {
				r := h.openRequest("open" + strconv.Itoa(i))
				r.VisitID = int64(i % 4) // four tills, one phone
				res, err := s.Challenges().Open(t.Context(), r)
				return res.Verdict, err
			})
			if got[domain.OpenSend] != 1 || got[domain.OpenWait] != 31 || recorded(t, s, h.sends()[0]) != 1 {
				t.Fatalf("32 opens at once gave %v; expected one send", got)
			}
		}
	})
}

func TestPhoneCode_05_ParallelOpensOfOneAdvisorKeepTheBudget(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		first := begin(t, s)
		first.caps[domain.LimitSendAdvisor] = 7
		got := parallel(t, 32, func(i int) (domain.OpenVerdict, error) {
			h := first.elsewhere()
			h.phone = "phone" + strconv.Itoa(i)
			res, err := h.open("open")
			return res.Verdict, err
		})
		if got[domain.OpenSend] != 7 || got[domain.OpenLimited] != 25 || recorded(t, s, first.sends()[1]) != 7 {
			t.Errorf("32 opens at once gave %v; expected 7 sends", got)
		}
	})
}

func TestPhoneCode_06_ResendsReviveNoOldCode(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for name, end := range map[string]func(h *talk){
			"expired": func(h *talk) { h.now = noon.Add(5 * time.Minute) },
			"locked": func(h *talk) {
				for i := range 3 {
					h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong)
				}
				h.now = noon.Add(30 * time.Second)
			},
		} {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			old := h.right
			end(h)
			h.with("second")
			got := parallel(t, 32, func(i int) (string, error) {
				if i%4 == 0 {
					res, err := h.open("open" + strconv.Itoa(i))
					return string(res.Verdict), err
				}
				res, err := h.check("check"+strconv.Itoa(i), old)
				return string(res.Verdict), err
			})
			if got["send"] != 1 || got["right"] != 0 {
				t.Errorf("%s: opens and old codes at once gave %v; expected one SMS, and no old code to be right", name, got)
			}
		}
		// While it lives, the code is the same before and after a resend: one success, and no SMS after it.
		for range 5 {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			first := h.right
			h.with("second")
			h.now = noon.Add(30 * time.Second)
			got := parallel(t, 32, func(i int) (string, error) {
				if i%4 == 0 {
					res, err := h.open("open" + strconv.Itoa(i))
					return string(res.Verdict), err
				}
				res, err := h.check("check"+strconv.Itoa(i), first)
				return string(res.Verdict), err
			})
			if got["send"] > 1 || got["right"] != 1 || got["used"] != 23 {
				t.Errorf("resends and right codes at once gave %v; expected one success", got)
			}
			if state := h.look(); !state.Verified {
				t.Errorf("after resends and right codes: %+v", state)
			}
		}
	})
}

func TestPhoneCode_07_KeysThatEndMeanwhileLeaveNoOrphan(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		// Between two scripts a key may end at any moment; none of them may put a part of it back.
		for round := range 20 {
			h := begin(t, s)
			h.mustOpen("open", domain.OpenSend)
			events := s.EventsKey(domain.CountedWrong, "phone:"+h.phone)
			parallel(t, 24, func(i int) (string, error) {
				switch {
				case i == 12 && round%2 == 0:
					return "", s.Client().PExpire(t.Context(), h.challengeKey(), time.Millisecond).Err()
				case i == 12:
					return "", s.Client().Del(t.Context(), h.challengeKey(), events).Err()
				case i%4 == 0:
					res, err := h.open("open" + strconv.Itoa(i))
					return string(res.Verdict), err
				default:
					res, err := h.check("check"+strconv.Itoa(i), []string{"", "wrong", "wrong too", h.right}[i%4])
					return string(res.Verdict), err
				}
			})
			checkTTLs(t, s)
		}
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		if err := s.Client().Del(t.Context(), h.challengeKey()).Err(); err != nil {
			t.Fatal(err)
		}
		h.mustCheck("late", h.right, domain.CheckExpired)
		if n := s.Client().Exists(t.Context(), h.challengeKey()).Val(); n != 0 {
			t.Error("a check has made a challenge")
		}
	})
}

func TestPhoneCode_17_ParallelRepeatsCountOnce(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		opens := parallel(t, 16, func(int) (domain.OpenVerdict, error) {
			res, err := h.open("tap")
			return res.Verdict, err
		})
		if opens[domain.OpenSend] != 1 || opens[domain.OpenRepeated] != 15 || recorded(t, s, h.sends()[0]) != 1 {
			t.Errorf("16 taps on send gave %v", opens)
		}
		repeats := parallel(t, 16, func(int) (bool, error) {
			res, err := h.check("tap", "wrong")
			return res.Repeated, err
		})
		if repeats[false] != 1 || h.compared() != 1 || h.counted() != 1 {
			t.Errorf("16 taps on check: repeated %v, %d compares, %d counted", repeats, h.compared(), h.counted())
		}
	})
}
