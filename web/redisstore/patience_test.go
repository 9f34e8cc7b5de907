package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// hanging lets the commands that which names go without an answer until their
// time is over, which comes at once here: the test waits for nothing.
type hanging struct {
	which func(redis.Cmder) bool
}

func (hanging) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hanging) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !h.which(cmd) {
			return next(ctx, cmd)
		}
		cmd.SetErr(context.DeadlineExceeded)
		return context.DeadlineExceeded
	}
}

func (h hanging) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if h.which(cmd) {
				return context.DeadlineExceeded
			}
		}
		return next(ctx, cmds)
	}
}

// A request that was not answered once asks nothing more, in whatever part of
// the program; the next request asks again, and so does what is no request.
func TestOneRequestIsPatientOnce(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		var away atomic.Bool
		var asked atomic.Int64
		s.Client().AddHook(hanging{func(redis.Cmder) bool {
			asked.Add(1)
			return away.Load()
		}})
		budgets := []domain.Budget{budget(domain.LimitPromoAdvisor, "staff:1", 5, day)}
		sessions := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime})
		calls := map[string]func(ctx context.Context) error{
			"Ping":     s.Ping,
			"Look":     func(ctx context.Context) error { _, err := s.Challenges().Look(ctx, h.lookRequest()); return err },
			"Spend":    func(ctx context.Context) error { _, err := s.Limits().Spend(ctx, "id", noon, budgets); return err },
			"Standing": func(ctx context.Context) error { _, err := s.Limits().Standing(ctx, noon, budgets); return err },
			"Allow": func(ctx context.Context) error {
				_, _, err := s.Throttle().Allow(ctx, "k", 5, time.Minute)
				return err
			},
			"Enter": func(ctx context.Context) error {
				_, err := s.SignIns().Enter(ctx, tryOf("login", "address"))
				return err
			},
			"a session": func(ctx context.Context) error {
				r := request(t, nil).WithContext(ctx)
				r.Header.Set("Cookie", redisstore.SessionCookie+"="+strings.Repeat("A", 43))
				_, err := sessions.Get(r, redisstore.SessionCookie)
				return err
			},
		}
		for first, one := range calls {
			away.Store(true)
			ctx := redisstore.OneRequest(t.Context())
			mustBeUnavailable(t, first, func() error { return one(ctx) })
			asked.Store(0)
			for what, call := range calls {
				mustBeUnavailable(t, what+" after "+first, func() error { return call(ctx) })
			}
			if n := asked.Load(); n != 0 {
				t.Errorf("after %s Redis was asked %d times more", first, n)
			}
			for _, other := range []context.Context{redisstore.OneRequest(t.Context()), t.Context()} {
				mustBeUnavailable(t, "another request", func() error { return s.Ping(other) })
			}
			if n := asked.Load(); n != 2 {
				t.Errorf("two others asked %d times", n)
			}
			away.Store(false)
			if err := s.Ping(redisstore.OneRequest(t.Context())); err != nil {
				t.Errorf("a request afterwards: %v", err)
			}
		}
	})
}

// What calls of one request take is taken from what the next may take: together
// they end when one may. An answer that Redis gives ends nothing.
func TestOneRequestSharesItsDeadline(t *testing.T) {
	s := open(t, "", "")
	ctx := redisstore.OneRequest(t.Context())
	var allowed []time.Duration
	var last time.Time
	s.Client().AddHook(deadlines{func(ctx context.Context) {
		last, _ = ctx.Deadline()
		allowed = append(allowed, time.Until(last))
	}})
	for range 5 {
		if err := s.Client().Do(t.Context(), "no such command").Err(); err == nil {
			t.Fatal("it is one")
		}
		if err := s.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var rest []time.Duration
	for _, d := range allowed {
		if d > 0 {
			rest = append(rest, d)
		}
	}
	for i := 1; i < len(rest); i++ {
		if rest[i] >= rest[i-1] {
			t.Errorf("call %d of a request may take %v, after one that might take %v", i, rest[i], rest[i-1])
		}
	}
	if len(rest) != 5 {
		t.Fatalf("%d calls were seen", len(rest))
	}
	if rest[0] > 2*time.Second {
		t.Errorf("the first call of a request may take %v; a request may wait for 2 s", rest[0])
	}
	before := time.Now()
	if err := s.Ping(t.Context()); err != nil || last.Sub(before) < 1800*time.Millisecond {
		t.Errorf("what is no request may take until %v, %v", last.Sub(before), err)
	}
}

// deadlines notes until when each command may take.
type deadlines struct{ note func(context.Context) }

func (deadlines) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d deadlines) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		d.note(ctx)
		return next(ctx, cmd)
	}
}

func (deadlines) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// What takes many calls by its nature is not cut short by the request that came
// upon it: what limits have counted is put back as a whole.
func TestARestoreHasItsOwnTime(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		b := budget(domain.LimitPromoAdvisor, "staff:1", 5, day)
		ctx := redisstore.OneRequest(t.Context())
		var away atomic.Bool
		s.Client().AddHook(hanging{func(redis.Cmder) bool { return away.Load() }})
		away.Store(true)
		mustBeUnavailable(t, "the request", func() error { return s.Ping(ctx) })
		away.Store(false)
		lose(t, s)
		if err := s.Limits().Restore(ctx, noon, reading(rows(b, 1201))); err != nil {
			t.Fatal(err)
		}
		if n := recorded(t, s, b); n != 1201 {
			t.Errorf("%d of 1201 are put back", n)
		}
		if _, err := s.Limits().Standing(ctx, noon, []domain.Budget{b}); !errors.As(err, new(*domain.Error)) {
			t.Errorf("the request itself goes on: %v", err)
		}
	})
}
