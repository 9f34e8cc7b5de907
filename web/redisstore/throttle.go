package redisstore

import (
	"context"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// Throttle implements domain.Throttle as a leaky bucket: limit attempts at
// once, then one more each window/limit. It runs on the clock of Redis.
type Throttle struct {
	store   *Store
	limiter *redis_rate.Limiter
}

var _ domain.Throttle = (*Throttle)(nil)

// Throttle gives the attempt limits kept in this Redis.
func (s *Store) Throttle() *Throttle {
	return &Throttle{store: s, limiter: redis_rate.NewLimiter(prefixed{Client: s.client, prefix: s.prefix})}
}

// Allow counts one attempt; wait is 0 when it was allowed.
func (t *Throttle) Allow(ctx context.Context, key string, limit int, window time.Duration) (ok bool, wait time.Duration, err error) {
	res, err := t.ask(ctx, key, limit, window)
	if err != nil {
		return false, 0, err
	}
	if res == nil {
		return false, window, nil
	}
	return res.Allowed > 0, max(0, res.RetryAfter), nil
}

// ask gives nil when nothing is ever allowed.
func (t *Throttle) ask(ctx context.Context, key string, limit int, window time.Duration) (res *redis_rate.Result, err error) {
	if limit < 1 || window <= 0 {
		return nil, nil //nolint:nilnil // no bucket to ask; the callers refuse
	}
	err = t.store.within(ctx, func(ctx context.Context) (err error) {
		res, err = t.limiter.AllowN(ctx, key, redis_rate.Limit{Rate: limit, Burst: limit, Period: window}, 1)
		return err
	})
	return res, err
}

// prefixed puts our prefix before the keys that redis_rate builds by itself
// ("rate:…"), so that an ACL for the prefix covers them too.
type prefixed struct {
	*redis.Client
	prefix string
}

func (p prefixed) keys(keys []string) []string {
	ours := make([]string, len(keys))
	for i, key := range keys {
		ours[i] = p.prefix + key
	}
	return ours
}

// Eval implements the client that redis_rate wants.
func (p prefixed) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return p.Client.Eval(ctx, script, p.keys(keys), args...)
}

// EvalSha implements the client that redis_rate wants.
func (p prefixed) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	return p.Client.EvalSha(ctx, sha1, p.keys(keys), args...)
}

// Del implements the client that redis_rate wants.
func (p prefixed) Del(ctx context.Context, keys ...string) *redis.IntCmd {
	return p.Client.Del(ctx, p.keys(keys)...)
}
