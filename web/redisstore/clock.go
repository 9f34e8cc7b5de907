package redisstore

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// clockEvery is how often the clock of Redis is looked at.
	clockEvery = 10 * time.Second
	// clockSlack is how far the two clocks may be apart before ours follows: the
	// way of the answer takes some of that.
	clockSlack = 100 * time.Millisecond
	// clockWarn is how far apart they are when an operator should know.
	clockWarn = 30 * time.Second
)

// clock is the clock of this machine, put right by that of Redis. Limits are
// judged by the clock of Redis, and the rows they are rebuilt from are dated by
// this one: so they agree, and an instance whose own clock is wrong works on.
type clock struct {
	local func() time.Time
	mu    sync.Mutex
	off   time.Duration // what is added to the local clock
	told  bool          // that it is far off
}

// Now is the clock for everything that is dated.
func (s *Store) Now() time.Time {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	return s.clock.local().Add(s.clock.off)
}

// ClockOff is how far the clock of this machine is ahead of that of Redis where
// that is more than 30 s; otherwise 0.
func (s *Store) ClockOff() time.Duration {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	if s.clock.off.Abs() <= clockWarn {
		return 0
	}
	return -s.clock.off
}

// SetClock compares the clocks once. A Redis that does not answer leaves things
// as they are.
func (s *Store) SetClock(ctx context.Context) error {
	var before, theirs, after time.Time
	err := s.within(ctx, func(ctx context.Context) (err error) {
		before = s.clock.local()
		theirs, err = s.client.Time(ctx).Result()
		after = s.clock.local()
		return err
	})
	if err != nil {
		return err
	}
	way := after.Sub(before) / 2
	s.clock.set(ctx, theirs.Sub(before.Add(way)), way, s.logger)
	return nil
}

func (c *clock) set(ctx context.Context, off, way time.Duration, log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A step of the local clock between the two looks shows as a way of no sense.
	if way < 0 || (off-c.off).Abs() <= clockSlack+way {
		return
	}
	c.off = off
	switch far := off.Abs() > clockWarn; {
	case far == c.told:
	case far:
		c.told = true
		log.WarnContext(ctx, "the clock of this machine and that of Redis differ; times go by Redis until they agree",
			"ahead", (-off).Round(time.Second).String())
	default:
		c.told = false
		log.InfoContext(ctx, "the clock of this machine and that of Redis agree again")
	}
}

// follow looks at the clock of Redis again and again until done is closed.
func (s *Store) follow(done <-chan struct{}) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			// What is wrong with Redis is told where it is needed.
			_ = s.SetClock(context.Background())
		}
	}
}
