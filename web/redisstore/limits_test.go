package redisstore_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// budget is one that refills.
func budget(name domain.LimitName, subject string, most int, window time.Duration) domain.Budget {
	return domain.Budget{Name: name, Kind: domain.CountedPromo, Subject: subject, Max: most, Window: window, Keep: window}
}

// till is where budgets are spent; its clock stands where the test puts it.
type till struct {
	t   *testing.T
	s   *redisstore.Store
	now time.Time
	n   int
}

func newTill(t *testing.T, s *redisstore.Store) *till {
	t.Helper()
	restore(t, s, nil)
	return &till{t: t, s: s, now: noon}
}

// spend spends one event, and gives the limit that was met. A look before must
// have told the same.
func (l *till) spend(budgets ...domain.Budget) domain.Limit {
	l.t.Helper()
	l.n++
	standing := l.standing(budgets...)
	met, err := l.s.Limits().Spend(l.t.Context(), "event"+strconv.Itoa(l.n), l.now, budgets)
	if err != nil {
		l.t.Fatal(err)
	}
	longest := domain.Limit{}
	for _, s := range standing {
		if s.Wait > longest.Wait {
			longest = s
		}
	}
	if met != longest {
		l.t.Errorf("spending met %+v, and a look before gave %+v", met, standing)
	}
	checkTTLs(l.t, l.s)
	return met
}

func (l *till) mustSpend(n int, budgets ...domain.Budget) {
	l.t.Helper()
	for i := range n {
		if met := l.spend(budgets...); met.Name != "" {
			l.t.Errorf("event %d of %d met %+v", i+1, n, met)
		}
	}
}

func (l *till) mustMeet(want domain.Limit, budgets ...domain.Budget) {
	l.t.Helper()
	if met := l.spend(budgets...); met != want {
		l.t.Errorf("met %+v; expected %+v", met, want)
	}
}

func (l *till) standing(budgets ...domain.Budget) []domain.Limit {
	l.t.Helper()
	limits, err := l.s.Limits().Standing(l.t.Context(), l.now, budgets)
	if err != nil {
		l.t.Fatal(err)
	}
	return limits
}

func (l *till) lift(b domain.Budget, at time.Time) {
	l.t.Helper()
	if err := l.s.Limits().Lift(l.t.Context(), b, at); err != nil {
		l.t.Fatal(err)
	}
	checkTTLs(l.t, l.s)
}

func TestWindowsSlide(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		l, b := newTill(t, s), budget(domain.LimitPromoAdvisor, "staff:1", 5, day)
		for _, after := range []time.Duration{0, 6 * hour, 12 * hour, 18 * hour, day - time.Minute} {
			l.now = noon.Add(after)
			l.mustSpend(1, b)
		}
		l.mustMeet(domain.Limit{Name: b.Name, Wait: time.Minute}, b)
		l.now = noon.Add(day - time.Millisecond)
		l.mustMeet(domain.Limit{Name: b.Name, Wait: time.Millisecond}, b)
		// One comes back for each that is a day old; nothing comes back at once.
		l.now = noon.Add(day)
		l.mustSpend(1, b)
		l.mustMeet(domain.Limit{Name: b.Name, Wait: 6 * hour}, b)
		l.now = noon.Add(day + 6*hour)
		l.mustSpend(1, b)
		l.mustMeet(domain.Limit{Name: b.Name, Wait: 6 * hour}, b)
		if n := recorded(t, s, b); n != 5 {
			t.Errorf("%d events are remembered; expected those of the window: 5", n)
		}
		// A smaller cap has room only when enough of them are gone.
		b.Max = 2
		l.mustMeet(domain.Limit{Name: b.Name, Wait: 18 * hour}, b)
	})
}

func TestLocksGrow(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		l := newTill(t, s)
		b := domain.Budget{Name: domain.LimitPhoneLock, Kind: domain.CountedWrong, Subject: "phone:a", Max: 5, Window: 90 * day, Keep: 120 * day, Locks: locks}
		for i, lock := range append(slices.Clone(locks), locks[3]) {
			for range 5 {
				l.now = l.now.Add(time.Minute)
				l.mustSpend(1, b)
			}
			l.mustMeet(domain.Limit{Name: b.Name, Wait: lock}, b)
			l.now = l.now.Add(lock - time.Millisecond)
			l.mustMeet(domain.Limit{Name: b.Name, Wait: time.Millisecond}, b)
			l.now = l.now.Add(time.Millisecond)
			if n := recorded(t, s, b); n != 5*(i+1) {
				t.Errorf("after lock %d there are %d events", i+1, n)
			}
		}
		// After 90 quiet days nothing is held against the phone.
		l.now = l.now.Add(90 * day)
		l.mustSpend(5, b)
		l.mustMeet(domain.Limit{Name: b.Name, Wait: locks[0]}, b)
		if n := recorded(t, s, b); n != 5 {
			t.Errorf("%d events are remembered; expected 5", n)
		}
	})
}

func TestLocksNeitherReturnNorShrinkAsGuessesGrowOld(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		l := newTill(t, s)
		lock := func(subject string) domain.Budget {
			return domain.Budget{Name: domain.LimitPhoneLock, Kind: domain.CountedWrong, Subject: subject, Max: 5, Window: 90 * day, Keep: 120 * day, Locks: locks}
		}
		at := func(days float64) { l.now = noon.Add(time.Duration(days * float64(day))) }

		once := lock("phone:once")
		l.mustSpend(1, once)
		at(80)
		l.mustSpend(4, once)
		l.mustMeet(domain.Limit{Name: once.Name, Wait: day}, once)
		at(89.5)
		l.mustSpend(1, once)
		// The first guess leaves the window: the last one becomes the fifth that is left, and locks nothing after the fact.
		at(90)
		if got := l.standing(once)[0]; got.Name != "" {
			t.Errorf("a phone without a new wrong guess has met %+v", got)
		}
		l.mustSpend(4, once)
		if got := l.standing(once)[0]; got.Name != "" {
			t.Errorf("nine guesses in 90 days met %+v", got)
		}
		l.mustSpend(1, once)
		l.mustMeet(domain.Limit{Name: once.Name, Wait: 3 * day}, once)

		often := lock("phone:often")
		for i, days := range []float64{0, 2, 6, 85} {
			at(days)
			l.mustSpend(5, often)
			l.mustMeet(domain.Limit{Name: often.Name, Wait: locks[i]}, often)
		}
		// Of the twenty that made this lock, none leaves it shorter by growing old.
		l.now = l.now.Add(30*day - time.Millisecond)
		l.mustMeet(domain.Limit{Name: often.Name, Wait: time.Millisecond}, often)
		l.now = l.now.Add(time.Millisecond)
		l.mustSpend(1, often)
	})
}

func TestWhatIsLeftBeforeALockGrowsAsGuessesGrowOld(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.tries, h.caps[domain.LimitPhoneDay] = 1000, 1000
		h.mustOpen("open", domain.OpenSend)
		for i, left := range []int{4, 3, 2} {
			if res := h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong); res.Left != left {
				t.Errorf("wrong guess %d leaves %d; expected %d", i+1, res.Left, left)
			}
		}
		h.now = noon.Add(day)
		h.with("second")
		h.mustOpen("open2", domain.OpenSend)
		h.mustCheck("wrong3", "wrong", domain.CheckWrong)
		h.now = noon.Add(90 * day)
		h.with("third")
		if res := h.mustOpen("open3", domain.OpenSend); res.State.Left != 4 {
			t.Errorf("with one wrong guess in 90 days %d are left; expected 4", res.State.Left)
		}
	})
}

func TestLift(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		l := newTill(t, s)
		plain := budget(domain.LimitPromoAdvisor, "staff:1", 5, day)
		l.mustSpend(5, plain)
		l.now = noon.Add(hour)
		l.mustMeet(domain.Limit{Name: plain.Name, Wait: 23 * hour}, plain)
		l.lift(plain, noon.Add(-time.Second))
		l.mustMeet(domain.Limit{Name: plain.Name, Wait: 23 * hour}, plain)
		l.lift(plain, l.now)
		// The same lift once more, late, and an older one: neither lifts what came after, nor undoes the newer lift.
		l.now = noon.Add(2 * hour)
		l.mustSpend(4, plain)
		l.lift(plain, noon.Add(hour))
		l.lift(plain, noon.Add(-time.Second))
		l.mustSpend(1, plain)
		l.mustMeet(domain.Limit{Name: plain.Name, Wait: day}, plain)
		if n := recorded(t, s, plain); n != 10 {
			t.Errorf("%d events are remembered; a lift forgets none of 10", n)
		}

		// A lock is lifted, but the next one is longer all the same.
		lock := domain.Budget{Name: domain.LimitPhoneLock, Kind: domain.CountedWrong, Subject: "phone:a", Max: 5, Window: 90 * day, Keep: 120 * day, Locks: locks}
		daily := domain.Budget{Name: domain.LimitPhoneDay, Kind: domain.CountedWrong, Subject: "phone:a", Max: 5, Window: day, Keep: 120 * day}
		l.now = noon
		l.mustSpend(5, lock, daily)
		l.mustMeet(domain.Limit{Name: lock.Name, Wait: day}, lock)
		// Both budgets of a phone count the same events; a lift is for both.
		l.now = noon.Add(time.Minute)
		l.lift(daily, l.now)
		l.now = noon.Add(2 * time.Minute)
		l.mustSpend(5, lock, daily)
		// Of two that are used up the one with the longer wait is named, in whichever order they come.
		l.mustMeet(domain.Limit{Name: lock.Name, Wait: 3 * day}, daily, lock)
		l.mustMeet(domain.Limit{Name: lock.Name, Wait: 3 * day}, lock, daily)
		l.lift(lock, l.now)
		l.mustSpend(1, lock, daily)
		// Who was never limited may be lifted too.
		l.lift(budget(domain.LimitPromoStore, "store:9", 5, day), noon)
	})
}

func TestRefundTakesBackItsOwn(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		l := newTill(t, s)
		advisor, shop := budget(domain.LimitPromoAdvisor, "staff:1", 2, day), budget(domain.LimitPromoStore, "store:1", 5, day)
		l.mustSpend(2, advisor, shop)
		refund := func(id string) {
			t.Helper()
			if err := s.Limits().Refund(t.Context(), id, []domain.Budget{advisor, shop}); err != nil {
				t.Fatal(err)
			}
		}
		refund("unknown")
		refund("lift")
		l.mustMeet(domain.Limit{Name: advisor.Name, Wait: day}, advisor, shop)
		refund("event2")
		refund("event2")
		if a, b := recorded(t, s, advisor), recorded(t, s, shop); a != 1 || b != 1 {
			t.Errorf("%d and %d events after a refund; expected 1 and 1", a, b)
		}
		l.mustSpend(1, advisor, shop)
		l.mustMeet(domain.Limit{Name: advisor.Name, Wait: day}, advisor, shop)
		// Where one budget is used up, none of the others is spent.
		if n := recorded(t, s, shop); n != 2 {
			t.Errorf("the store has %d events; expected 2", n)
		}
		// An id is no way to lift.
		if _, err := s.Limits().Spend(t.Context(), "lift", l.now.Add(-hour), []domain.Budget{shop}); err != nil {
			t.Fatal(err)
		}
		if n := recorded(t, s, shop); n != 3 {
			t.Errorf("the store has %d events; expected 3", n)
		}
	})
}

func TestParallelSpendingKeepsEveryBudget(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		newTill(t, s)
		advisor := budget(domain.LimitPromoAdvisor, "staff:1", 10, day)
		got := parallel(t, 64, func(i int) (domain.LimitName, error) {
			address := budget(domain.LimitPromoAddress, "address:"+strconv.Itoa(i%8), 3, day)
			met, err := s.Limits().Spend(t.Context(), strconv.Itoa(i), noon, []domain.Budget{advisor, address})
			return met.Name, err
		})
		if got[""] != 10 || recorded(t, s, advisor) != 10 {
			t.Errorf("64 events at once gave %v; expected 10 that were counted", got)
		}
		sum := 0
		for i := range 8 {
			n := recorded(t, s, budget(domain.LimitPromoAddress, "address:"+strconv.Itoa(i), 3, day))
			if sum += n; n > 3 {
				t.Errorf("address %d has %d events; 3 are allowed", i, n)
			}
		}
		if sum != 10 {
			t.Errorf("the addresses have %d events; expected 10", sum)
		}
	})
}
