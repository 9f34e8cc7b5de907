package redisstore_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// localClock is the clock of a machine, which somebody may set.
type localClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *localClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *localClock) set(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = ahead
}

// instance opens a Redis as the program does, on a machine with a clock of its
// own.
func instance(t *testing.T, url, prefix string, clock *localClock, log *strings.Builder) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), redisstore.Options{
		URL: url, Prefix: prefix, Deadline: time.Minute, Local: clock.now, Logger: textLogger(log),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Two instances count in one Redis, and the clock of one is wrong. What the
// other has counted stays, and neither gives anything back.
func TestAWrongClockWipesNothing(t *testing.T) {
	url := realURL(t)
	for name, ahead := range map[string]time.Duration{
		"25 hours ahead": 25 * time.Hour, "a year ahead": 365 * day, "25 hours behind": -25 * time.Hour, "a minute ahead": time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			right := open(t, url, url)
			var log strings.Builder
			wrong := instance(t, url, right.Prefix(), &localClock{ahead: ahead}, &log)
			restore(t, right, nil)
			wide, narrow := budget(domain.LimitAdvisor, "staff:1", 3, day), budget(domain.LimitSendAdvisor, "staff:2", 2, hour)
			byRight := instance(t, url, right.Prefix(), &localClock{}, &strings.Builder{})
			for i, s := range []*redisstore.Store{byRight, wrong, byRight} {
				if met, err := s.Limits().Spend(t.Context(), string(rune('a'+i)), s.Now(), []domain.Budget{wide}); err != nil || met.Name != "" {
					t.Fatalf("event %d: %+v, %v", i, met, err)
				}
			}
			for i, s := range []*redisstore.Store{wrong, byRight} {
				if met, err := s.Limits().Spend(t.Context(), string(rune('k'+i)), s.Now(), []domain.Budget{narrow}); err != nil || met.Name != "" {
					t.Fatalf("event %d of the hour: %+v, %v", i, met, err)
				}
			}
			for who, s := range map[string]*redisstore.Store{"right": byRight, "wrong": wrong} {
				got, err := s.Limits().Standing(t.Context(), s.Now(), []domain.Budget{wide, narrow})
				if err != nil {
					t.Fatal(err)
				}
				for i, b := range []domain.Budget{wide, narrow} {
					if got[i].Name != b.Name || got[i].Wait > b.Window || got[i].Wait < b.Window-time.Minute {
						t.Errorf("the instance with the %s clock sees %s at %+v", who, b.Name, got[i])
					}
				}
			}
			// What its rows are dated by is the same clock: a Redis that is filled from
			// them judges as before.
			if off := wrong.Now().Sub(byRight.Now()); off.Abs() > 10*time.Second {
				t.Errorf("the rows of the two are dated %v apart", off)
			}
			if said := strings.Contains(log.String(), "the clock of this machine"); said != (ahead.Abs() > 30*time.Second) {
				t.Errorf("the log says: %s", log.String())
			}
			if off := wrong.ClockOff(); (off - ahead).Abs() > 10*time.Second {
				t.Errorf("it knows of %v, want %v", off, ahead)
			}
		})
	}
}

// A clock that is set while the program runs is followed, and both are told.
func TestTheClockIsFollowed(t *testing.T) {
	each(t, func(t *testing.T, other *redisstore.Store) {
		url := ""
		if strings.Contains(t.Name(), "/real") {
			url = realURL(t)
		}
		var log strings.Builder
		var clock localClock
		s := instance(t, url, other.Prefix(), &clock, &log)
		if s.ClockOff() != 0 || log.String() != "" && strings.Contains(log.String(), "clock") {
			t.Errorf("at the start: %v, %s", s.ClockOff(), log.String())
		}
		for range 3 { // told once
			clock.set(25 * time.Hour)
			if err := s.SetClock(t.Context()); err != nil {
				t.Fatal(err)
			}
			if off := time.Until(s.Now()); off.Abs() > 10*time.Second {
				t.Errorf("times go by a clock that is %v ahead", off)
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 || s.ClockOff() < 24*time.Hour {
			t.Errorf("%d warnings, %v:\n%s", n, s.ClockOff(), log.String())
		}
		clock.set(0)
		if err := s.SetClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.ClockOff() != 0 || !strings.Contains(log.String(), "agree again") {
			t.Errorf("set right again: %v, %s", s.ClockOff(), log.String())
		}
	})
}
