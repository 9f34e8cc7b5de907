package redisstore

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long one request has waited for Redis in all its calls.
type patience struct {
	mu    sync.Mutex
	spent time.Duration
	over  bool // Redis did not answer in time
}

type patienceKey struct{}

var errNoPatience = errors.New("redis did not answer this request before")

// OneRequest lets everything that is asked of Redis under ctx share the
// deadline of one call, and asks nothing more once an answer did not come in
// time: a page that asks in two places is told in the time of one that Redis
// is away. What it asks then fails as Unavailable, like any call that fails.
func OneRequest(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, &patience{})
}

// patiently is ctx for work that takes many calls by its nature, each under a
// deadline of its own, whichever request has come upon it.
func patiently(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, (*patience)(nil))
}

// left is what is left of deadline; not positive where nothing is.
func (p *patience) left(deadline time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return 0
	}
	return deadline - p.spent
}

func (p *patience) spend(took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent += took
	var broken net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) || errors.As(err, &broken) && broken.Timeout() {
		p.over = true
	}
}

// impatiently runs a call under the deadline, or what is left of it.
func (s *Store) impatiently(ctx context.Context, call func(context.Context) error) error {
	deadline := s.deadline
	p, _ := ctx.Value(patienceKey{}).(*patience)
	if p != nil {
		if deadline = p.left(deadline); deadline <= 0 {
			return errNoPatience
		}
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err := call(ctx)
	if p != nil {
		p.spend(time.Since(start), err)
	}
	return err
}
