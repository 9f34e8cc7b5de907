package redisstore_test

import (
	"slices"
	"strconv"
	"strings"
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
		l.lift(plain, noon.Add(time.Minute))
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
		l.mustMeet(domain.Limit{Name: lock.Name, Wait: 3 * day}, daily, lock)
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

func TestPhoneCode_08_EveryKeyEnds(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("wrong", "wrong", domain.CheckWrong)
		if met, err := s.Limits().Spend(t.Context(), "guess", noon, []domain.Budget{budget(domain.LimitPromoStore, "store:1", 5, day)}); err != nil || met.Name != "" {
			t.Fatalf("%+v, %v", met, err)
		}
		if _, _, err := s.Throttle().Allow(t.Context(), "k", 5, 15*time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := s.Outbox().Push(t.Context(), []byte("text")); err != nil {
			t.Fatal(err)
		}
		signedIn(t, s)
		if seen := checkTTLs(t, s); len(seen) != 13 {
			t.Errorf("the kinds of keys are %v; expected all 13 of checkTTLs", seen)
		}
		// Counting once more begins the time anew, for the marker too.
		for _, key := range []string{"pc:{codes}:counted", "pc:{codes}:wrong:phone:" + h.phone, "pc:{codes}:send:staff:" + h.advisor} {
			if err := s.Client().Expire(t.Context(), s.Prefix()+key, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
		}
		h.now = noon.Add(30 * time.Second)
		h.mustOpen("again", domain.OpenSend)
		h.mustCheck("again", "wrong too", domain.CheckWrong)
		for key, least := range map[string]time.Duration{
			"pc:{codes}:counted": 399 * day, "pc:{codes}:wrong:phone:" + h.phone: 119 * day, "pc:{codes}:send:staff:" + h.advisor: 59 * time.Minute,
		} {
			if ttl := s.Client().PTTL(t.Context(), s.Prefix()+key).Val(); ttl < least {
				t.Errorf("%s lives %v; expected at least %v", key, ttl, least)
			}
		}
	})
}

func TestPhoneCode_09_NoCapSwitchesAnotherOff(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		wide := func(caps map[domain.LimitName]int) {
			for name := range caps {
				caps[name] = 1000
			}
		}
		for _, name := range []domain.LimitName{domain.LimitPhoneDay, domain.LimitPhoneLock, domain.LimitAdvisor, domain.LimitStore} {
			h := begin(t, s)
			wide(h.caps)
			h.tries, h.caps[name] = 1000, 2
			h.mustOpen("open", domain.OpenSend)
			h.mustCheck("wrong1", "wrong", domain.CheckWrong)
			if res := h.mustCheck("wrong2", "wrong", domain.CheckWrong); res.Limit.Name != name || res.Left != 0 {
				t.Errorf("%s of 2: the second wrong guess gave %+v", name, res)
			}
			if res := h.mustCheck("right", h.right, domain.CheckLimited); res.Limit.Name != name {
				t.Errorf("%s of 2 met %+v", name, res.Limit)
			}
			// A cap that is missing or wrong is no licence, and a wide one leaves the others alone.
			for _, most := range []int{0, -1} {
				h.caps[name] = most
				if res := h.mustCheck("none", h.right, domain.CheckLimited); res.Limit.Name != name || res.Limit.Wait <= 0 {
					t.Errorf("%s of %d met %+v", name, most, res.Limit)
				}
			}
			h.caps[name] = 1000
			for other := range h.caps {
				if other == name || strings.HasPrefix(string(other), "send") {
					continue
				}
				h.caps[other] = 1
				if res := h.mustCheck("other", h.right, domain.CheckLimited); res.Limit.Name != other {
					t.Errorf("%s is wide and %s used up: met %+v", name, other, res.Limit)
				}
				h.caps[other] = 1000
			}
			h.tries = 0
			h.mustCheck("no tries", h.right, domain.CheckLocked)
			h.tries = 1000
			h.mustCheck("right", h.right, domain.CheckRight)
		}
		for _, name := range []domain.LimitName{domain.LimitSendPhone, domain.LimitSendAdvisor, domain.LimitSendAddress} {
			h := begin(t, s)
			wide(h.caps)
			for _, most := range []int{0, -1} {
				h.caps[name] = most
				if res := h.mustOpen("none", domain.OpenLimited); res.Limit.Name != name || res.Limit.Wait <= 0 {
					t.Errorf("%s of %d met %+v", name, most, res.Limit)
				}
			}
			h.caps[name] = 1
			h.mustOpen("open", domain.OpenSend)
			h.now = noon.Add(30 * time.Second)
			if res := h.mustOpen("again", domain.OpenLimited); res.Limit.Name != name || res.State.Silent.Name != name {
				t.Errorf("%s of 1 met %+v", name, res.Limit)
			}
		}
	})
}

func TestBudgetsThatAreMissingAreNoLicence(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		for name, change := range map[string]func(o *domain.OpenRequest, c *domain.CheckRequest){
			"no pauses": func(o *domain.OpenRequest, c *domain.CheckRequest) { o.ResendAfter, c.Wrongs = nil, nil },
			"no sends":  func(o *domain.OpenRequest, c *domain.CheckRequest) { o.Sends, c.Wrongs = nil, nil },
			"no wrongs": func(o *domain.OpenRequest, c *domain.CheckRequest) { o.Wrongs, c.Wrongs = nil, nil },
			"no window": func(o *domain.OpenRequest, c *domain.CheckRequest) { o.Wrongs[0].Window, c.Wrongs[3].Window = 0, 0 },
			"no subject": func(o *domain.OpenRequest, c *domain.CheckRequest) {
				o.Sends[2].Subject, c.Wrongs[0].Subject = "", ""
			},
			"kept longer than the marker": func(o *domain.OpenRequest, c *domain.CheckRequest) {
				o.Sends[2].Keep, c.Wrongs[0].Keep = 400*day, 400*day
			},
		} {
			o, c := h.openRequest("none"), h.checkRequest("none", h.right)
			change(&o, &c)
			if res, err := s.Challenges().Open(t.Context(), o); err == nil {
				t.Errorf("%s: open gave %+v", name, res)
			}
			if res, err := s.Challenges().Check(t.Context(), c); err == nil {
				t.Errorf("%s: check gave %+v", name, res)
			}
		}
		if _, err := s.Limits().Spend(t.Context(), "id", noon, nil); err == nil {
			t.Error("an event was spent from no budget")
		}
		if _, err := s.Limits().Spend(t.Context(), "", noon, h.sends()); err == nil {
			t.Error("an event without an id was spent")
		}
		if h.compared() != 0 {
			t.Error("a guess was compared")
		}
	})
}
