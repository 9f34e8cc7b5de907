package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// lose empties Redis of everything that s keeps in it.
func lose(t *testing.T, s *redisstore.Store) {
	t.Helper()
	if found := keys(t, s); len(found) > 0 {
		if err := s.Client().Del(t.Context(), found...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingIsJudgedWithoutMemory(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		b := budget(domain.LimitPromoAdvisor, "staff:1", 5, day)
		h.mustOpen("open", domain.OpenSend)
		mustBeLost := func() {
			t.Helper()
			before := snapshot(t, s)
			for what, call := range map[string]func() error{
				"open":     func() error { _, err := h.open("open2"); return err },
				"check":    func() error { _, err := h.check("check", h.right); return err },
				"look":     func() error { _, err := s.Challenges().Look(t.Context(), h.lookRequest()); return err },
				"spend":    func() error { _, err := s.Limits().Spend(t.Context(), "id", noon, []domain.Budget{b}); return err },
				"standing": func() error { _, err := s.Limits().Standing(t.Context(), noon, []domain.Budget{b}); return err },
				"lift":     func() error { return s.Limits().Lift(t.Context(), b, noon) },
				"recorded": func() error { _, err := s.Limits().Recorded(t.Context()); return err },
			} {
				var e *domain.Error
				if err := call(); !errors.Is(err, domain.ErrLimitsLost) || errors.As(err, &e) {
					t.Errorf("%s gave %v; expected the limits to be lost", what, err)
				}
			}
			if err := s.Limits().Refund(t.Context(), "id", []domain.Budget{b}); err != nil {
				t.Error(err)
			}
			if after := snapshot(t, s); after != before {
				t.Errorf("without memory something was written:\n%s\nand before\n%s", after, before)
			}
		}
		// The marker alone decides: a challenge that is left over is not judged either.
		if err := s.Client().Del(t.Context(), s.Marker()).Err(); err != nil {
			t.Fatal(err)
		}
		mustBeLost()
		lose(t, s)
		mustBeLost()
		restore(t, s, nil)
		h.mustCheck("check", h.right, domain.CheckExpired)
		h.mustOpen("open3", domain.OpenSend)
		if n := recorded(t, s, h.sends()[0]); n != 1 {
			t.Errorf("%d SMS are counted; expected the one after the loss", n)
		}
	})
}

// A program of an earlier generation has counted in this very Redis. What it
// has counted is rebuilt from the rows, and its own counts go: somebody may go
// back to it, and it would trust them though they know nothing of what has been
// counted since. Codes on their way stay good.
func TestAnEarlierGenerationIsTrustedWithNothing(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		b := budget(domain.LimitAdvisor, "staff:1", 5, day)
		for _, name := range []string{"counted", "1:counted"} {
			if err := s.Client().Set(t.Context(), s.LimitKey(name), 1, 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Client().ZAdd(t.Context(), s.LimitKey("wrong:staff:1"), redis.Z{Score: 1, Member: "e:challenge:1"}).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.Client().Del(t.Context(), s.Marker()).Err(); err != nil {
			t.Fatal(err)
		}
		restore(t, s, rows(b, 2))
		if n := recorded(t, s, b); n != 2 {
			t.Errorf("%d events are counted, want those of the rows", n)
		}
		for _, name := range []string{"counted", "1:counted", "wrong:staff:1"} {
			if n := s.Client().Exists(t.Context(), s.LimitKey(name)).Val(); n != 0 {
				t.Errorf("%s of before is still there", name)
			}
		}
		h.mustCheck("check", h.right, domain.CheckRight)
	})
}

// rows are n events of one budget, a second apart, as the database has them.
func rows(b domain.Budget, n int) []domain.Counted {
	all := make([]domain.Counted, n)
	for i := range all {
		at := noon.Add(-time.Duration(n-i) * time.Second)
		all[i] = domain.Counted{Kind: b.Kind, Subject: b.Subject, ID: "row:" + strconv.Itoa(i), At: at, Keep: b.Keep}
	}
	return all
}

func TestRestore(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		many, few := budget(domain.LimitPromoStore, "store:1", 2000, day), budget(domain.LimitPromoAdvisor, "staff:1", 5, day)
		all := append(rows(many, 1201), rows(few, 5)...)
		// What is too old to matter is left out; of several lifts the last one counts, in whichever order they come.
		old := rows(few, 1)[0]
		old.ID, old.At = "old", noon.Add(-day)
		all = append(all, old)
		check := func() {
			t.Helper()
			l := &till{t: t, s: s, now: noon}
			if a, b := recorded(t, s, many), recorded(t, s, few); a != 1201 || b != 5 {
				t.Errorf("%d and %d events are restored; expected 1201 and 5", a, b)
			}
			if got := l.standing(many, few); got[0].Name != "" || got[1] != (domain.Limit{Name: few.Name, Wait: day - 5*time.Second}) {
				t.Errorf("restored limits stand at %+v", got)
			}
			checkTTLs(t, s)
		}
		restore(t, s, all)
		check()
		// A restore that broke off leaves events without the marker; the next one counts none of them twice.
		if err := s.Client().Del(t.Context(), s.Marker()).Err(); err != nil {
			t.Fatal(err)
		}
		restore(t, s, all)
		check()
		// Where Redis remembers, nothing is put back.
		restore(t, s, rows(few, 9))
		check()

		lose(t, s)
		lift := func(at time.Time) domain.Counted {
			return domain.Counted{Kind: few.Kind, Subject: few.Subject, At: at, Keep: few.Keep, Lift: true}
		}
		restore(t, s, append(rows(few, 5), lift(noon.Add(-2*time.Second)), lift(noon.Add(-4*time.Second))))
		l := &till{t: t, s: s, now: noon}
		l.mustSpend(4, few)
		l.mustMeet(domain.Limit{Name: few.Name, Wait: day - time.Second}, few)

		lose(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		mustBeUnavailable(t, "Restore", func() error { return s.Limits().Restore(ctx, noon, reading(all)) })
		if _, err := s.Limits().Standing(t.Context(), noon, []domain.Budget{few}); !errors.Is(err, domain.ErrLimitsLost) {
			t.Errorf("after a restore that failed: %v", err)
		}
		nameless := rows(few, 1)
		nameless[0].ID = ""
		if err := s.Limits().Restore(t.Context(), noon, reading(nameless)); err == nil {
			t.Error("an event without an id was restored; it would count as one with all others")
		}
	})
}

func TestRestoresAtOnceWhileEventsAreCounted(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		b := budget(domain.LimitPromoAdvisor, "staff:1", 10, day)
		counted := append(rows(budget(domain.LimitPromoStore, "store:1", 2000, day), 1200), rows(b, 7)...)
		callers := 32
		if strings.Contains(t.Name(), "in-process") {
			callers = 8 // it is slow under -race, and a call has its deadline
		}
		for range 5 {
			lose(t, s)
			got := parallel(t, callers, func(i int) (domain.LimitName, error) {
				spend := func() (domain.Limit, error) {
					return s.Limits().Spend(t.Context(), strconv.Itoa(i), noon, []domain.Budget{b})
				}
				met, err := spend()
				if errors.Is(err, domain.ErrLimitsLost) {
					if err := s.Limits().Restore(t.Context(), noon, reading(counted)); err != nil {
						return "", err
					}
					met, err = spend()
				}
				return met.Name, err
			})
			if got[""] != 3 || recorded(t, s, b) != 10 {
				t.Fatalf("7 of 10 were counted before the loss; %d more at once gave %v", callers, got)
			}
		}
	})
}

// history is what a test has counted, as the rows of a database would tell.
type history struct {
	events, lifts map[string][]time.Time // by kind and subject
}

func historyKey(b domain.Budget) string { return string(b.Kind) + " " + b.Subject }

// wait judges a budget by walking from event to event: written without a look
// at Lua, for holding one against the other.
func (h *history) wait(b domain.Budget, now time.Time) time.Duration {
	var lift time.Time
	for _, at := range h.lifts[historyKey(b)] {
		if at.After(lift) {
			lift = at
		}
	}
	events := h.events[historyKey(b)]
	within := func(end time.Time) (n int) {
		for _, at := range events {
			if !at.After(end) && at.After(end.Add(-b.Window)) {
				n++
			}
		}
		return n
	}
	until := now
	if len(b.Locks) > 0 {
		for _, at := range events {
			if n := within(at); n%b.Max == 0 && at.After(lift) {
				if end := at.Add(b.Locks[min(n/b.Max, len(b.Locks))-1]); end.After(until) {
					until = end
				}
			}
		}
		return until.Sub(now)
	}
	var live []time.Time
	for _, at := range events {
		if at.After(lift) && at.After(now.Add(-b.Window)) {
			live = append(live, at)
		}
	}
	if len(live) < b.Max {
		return 0
	}
	return live[len(live)-b.Max].Add(b.Window).Sub(now)
}

func (h *history) counted(budgets []domain.Budget) []domain.Counted {
	var all []domain.Counted
	seen := map[string]bool{}
	for _, b := range budgets {
		key := historyKey(b)
		if seen[key] {
			continue
		}
		seen[key] = true
		for i, at := range h.events[key] {
			all = append(all, domain.Counted{Kind: b.Kind, Subject: b.Subject, ID: fmt.Sprint("row:", i), At: at, Keep: b.Keep})
		}
		for _, at := range h.lifts[key] {
			all = append(all, domain.Counted{Kind: b.Kind, Subject: b.Subject, At: at, Keep: b.Keep, Lift: true})
		}
	}
	return all
}

func TestRestoredLimitsJudgeAsBefore(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for range 5 {
			seed := rand.Uint64()                    //nolint:gosec // chance, no secret
			random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { randomHistory(t, s, random) })
		}
	})
}

// randomHistory counts, refunds and lifts by chance over a hundred days, loses
// Redis now and then, and restores it from what a database would know.
func randomHistory(t *testing.T, s *redisstore.Store, random *rand.Rand) {
	phones := []string{"phone:a", "phone:b"}
	var all []domain.Budget
	wrongs := func(phone string) []domain.Budget {
		return []domain.Budget{
			{Name: domain.LimitPhoneDay, Kind: domain.CountedWrong, Subject: phone, Max: 3, Window: day, Keep: 120 * day},
			{Name: domain.LimitPhoneLock, Kind: domain.CountedWrong, Subject: phone, Max: 4, Window: 90 * day, Keep: 120 * day, Locks: locks},
			{Name: domain.LimitAdvisor, Kind: domain.CountedWrong, Subject: "staff:1", Max: 4, Window: day, Keep: day},
		}
	}
	for _, phone := range phones {
		all = append(all, wrongs(phone)...)
	}
	h := &history{events: map[string][]time.Time{}, lifts: map[string][]time.Time{}}
	lose(t, s)
	restore(t, s, nil)
	now := noon.Truncate(time.Millisecond)
	compare := func(at time.Time) {
		t.Helper()
		limits, err := s.Limits().Standing(t.Context(), at, all)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range all {
			if want := h.wait(b, at); limits[i].Wait != want || (limits[i].Name == b.Name) != (want > 0) {
				t.Fatalf("%v after the start %s of %s stands at %+v; expected a wait of %v", at.Sub(noon), b.Name, b.Subject, limits[i], want)
			}
		}
	}
	counted := map[domain.LimitName]int{}
	for step := range 250 {
		now = now.Add(time.Duration(random.Int64N(int64(day))).Truncate(time.Millisecond))
		if random.IntN(3) == 0 {
			now = now.Truncate(hour).Add(hour) // some lie whole hours apart, to meet the edges of windows
		}
		budgets := wrongs(phones[random.IntN(len(phones))])
		switch random.IntN(12) {
		case 0:
			b := budgets[random.IntN(len(budgets))]
			if err := s.Limits().Lift(t.Context(), b, now); err != nil {
				t.Fatal(err)
			}
			h.lifts[historyKey(b)] = append(h.lifts[historyKey(b)], now)
		case 1:
			lose(t, s)
			if _, err := s.Limits().Standing(t.Context(), now, all); !errors.Is(err, domain.ErrLimitsLost) {
				t.Fatalf("lost: %v", err)
			}
			if err := s.Limits().Restore(t.Context(), now, reading(h.counted(all))); err != nil {
				t.Fatal(err)
			}
			compare(now)
			compare(now.Add(time.Duration(random.Int64N(int64(40 * day)))).Truncate(time.Millisecond))
		default:
			met, err := s.Limits().Spend(t.Context(), strconv.Itoa(step), now, budgets)
			if err != nil {
				t.Fatal(err)
			}
			counted[met.Name]++
			if met.Name != "" {
				break
			}
			if random.IntN(4) == 0 { // a right guess takes itself back
				if err := s.Limits().Refund(t.Context(), strconv.Itoa(step), budgets); err != nil {
					t.Fatal(err)
				}
				break
			}
			for _, key := range []string{historyKey(budgets[0]), historyKey(budgets[2])} {
				h.events[key] = append(h.events[key], now)
			}
		}
		compare(now)
	}
	for _, name := range []domain.LimitName{"", domain.LimitPhoneLock} {
		if counted[name] == 0 {
			t.Errorf("this history has met nothing of %q: %v", name, counted)
		}
	}
	for _, b := range all {
		times := recordedAt(t, s, b)
		for _, at := range h.events[historyKey(b)] {
			if at.After(now.Add(-b.Window)) && !slices.ContainsFunc(times, at.Equal) {
				t.Errorf("%s of %s has forgotten an event of %v", b.Name, b.Subject, at)
			}
		}
	}
}
