// Package redisstore holds everything that Prilavok keeps in Redis: code
// challenges and their limits, sign-in throttling, sessions and the texts of
// the demo handset. Redis is a real one, or one inside this process.
//
// Nothing here is a source of truth for money or consent: losing Redis signs
// everybody out and voids the codes that are on their way, no more. What the
// limits have counted is rebuilt from the database; until then nothing is
// judged, and the error is domain.ErrLimitsLost. While Redis does not answer,
// every method fails with kind Unavailable (fail closed).
package redisstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// DefaultPrefix begins every key unless Options say otherwise.
const DefaultPrefix = "prilavok:"

// defaultDeadline bounds one call as a whole (waiting for a connection,
// dialling, greeting, command, answer), so that a dead Redis is noticed within
// 2 s.
const defaultDeadline = 1800 * time.Millisecond

// Options say which Redis to use.
type Options struct {
	// URL is redis://, rediss:// or unix://; empty means Redis inside this
	// process, which forgets everything when the process ends.
	URL string
	// Prefix begins every key; empty means DefaultPrefix.
	Prefix string
	// Deadline bounds one call as a whole; 0 means 1.8 s.
	Deadline time.Duration
	// ByCaller has limits and codes judged by the clock of whoever asks instead
	// of that of Redis; for tests, whose clock goes as they say.
	ByCaller bool
	// Local is the clock of this machine; nil means time.Now.
	Local func() time.Time
	// Logger gets what an operator should know at the start; nil discards it.
	Logger *slog.Logger
}

// Store is an open Redis. It is safe for concurrent use.
type Store struct {
	client   *redis.Client
	prefix   string
	deadline time.Duration // of one call
	byCaller bool
	clock    clock
	logger   *slog.Logger
	stop     func() // ends the in-process Redis
	server   atomic.Pointer[string]
}

// Open connects to Redis and returns when it has answered, or starts the
// in-process one. A real Redis that may evict keys is refused: an evicted
// counter would give back guesses that were spent.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{prefix: o.Prefix, deadline: o.Deadline, byCaller: o.ByCaller, logger: o.Logger, stop: func() {}}
	if s.prefix == "" {
		s.prefix = DefaultPrefix
	}
	if s.deadline == 0 {
		s.deadline = defaultDeadline
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.clock.local = o.Local; o.Local == nil {
		s.clock.local = time.Now
	}
	if o.URL == "" {
		if err := s.startEmbedded(ctx); err != nil {
			return nil, err
		}
		return s, nil
	}
	opt, err := redis.ParseURL(o.URL)
	if err != nil {
		// The parser's error may repeat the address, password included.
		return nil, errors.New("redis: the address is not understood; expected redis://, rediss:// or unix://")
	}
	opt.OnConnect = s.greet
	s.client = s.newClient(opt)
	if err := s.requireNoEviction(ctx); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	if s.serverID() == "" {
		s.logger.WarnContext(ctx, "Redis does not tell its run_id; after a restart from an old dump it may have forgotten guesses, unnoticed")
	}
	if err := s.SetClock(ctx); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	done := make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() { s.follow(done) })
	s.stop = sync.OnceFunc(func() {
		close(done)
		following.Wait()
	})
	return s, nil
}

// silence takes the client's own logger away, which is one for the whole
// process: it writes past ours, and each failure it tells of also reaches the
// caller as an error, to be logged once.
var silence = sync.OnceFunc(func() { redis.SetLogger(discard{}) })

type discard struct{}

// Printf implements the logger that go-redis wants.
func (discard) Printf(context.Context, string, ...any) {}

func (s *Store) newClient(opt *redis.Options) *redis.Client {
	silence()
	step := s.deadline * 5 / 9 // each of those steps: 1 s of the default
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = step, step, step, step
	opt.ContextTimeoutEnabled = true
	// One attempt only. A command whose answer was lost may have been carried
	// out, and asking again would have the second run find the traces of the
	// first: "this request was answered before", and no SMS leaves. Connections
	// that the server has closed are sorted out before a command is written.
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.PipelinePoolSize = -1 // what is pipelined here is small: no second pool
	opt.DisableIdentity = true
	return redis.NewClient(opt)
}

// greet notes which server process a new connection leads to. One that was
// started from an old dump, or a replica that took over, still has the marker
// of the limits but not the last of what was counted: it is another process,
// and is trusted with nothing that this one did not count.
func (s *Store) greet(ctx context.Context, conn *redis.Conn) error {
	info, err := conn.Info(ctx, "server").Result()
	if err != nil {
		return orRefused(err)
	}
	for lines := bufio.NewScanner(strings.NewReader(info)); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "run_id:"); ok {
			id = strings.TrimSpace(id)
			s.server.Store(&id)
		}
	}
	return nil
}

// serverID names the server process; empty where it does not tell.
func (s *Store) serverID() string {
	if id := s.server.Load(); id != nil {
		return *id
	}
	return ""
}

// startEmbedded runs Redis inside this process, on a loopback port behind a
// random password: other users of the machine can reach the port.
func (s *Store) startEmbedded(ctx context.Context) error {
	m := miniredis.NewMiniRedis()
	password := domain.RandomToken(32)
	m.RequireAuth(password)
	if err := m.Start(); err != nil {
		return fmt.Errorf("redis: in-process: %w", err)
	}
	s.client = s.newClient(&redis.Options{Addr: m.Addr(), Password: password})

	done := make(chan struct{})
	var ticker sync.WaitGroup
	ticker.Go(func() { expireKeys(m, done) })
	s.stop = sync.OnceFunc(func() {
		close(done)
		ticker.Wait()
		m.Close()
	})
	s.logger.InfoContext(ctx, "Redis runs inside this process: a restart signs everybody out and voids the codes on their way")
	return nil
}

// expireKeys lets the keys of m grow old until done is closed; miniredis does
// not do it by itself.
func expireKeys(m *miniredis.Miniredis, done <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	// Round(0) takes the wall clock: the monotonic one stands still while a
	// laptop sleeps, and a code must not outlive that.
	for last := time.Now().Round(0); ; {
		select {
		case <-done:
			return
		case <-tick.C:
			now := time.Now().Round(0)
			if elapsed := now.Sub(last); elapsed > 0 {
				m.FastForward(elapsed)
			}
			last = now
		}
	}
}

// requireNoEviction asks the server for its policy. Managed services forbid
// CONFIG; INFO tells it too. Where neither may be asked, the start goes on
// with a warning, because the operator may well have set it right.
func (s *Store) requireNoEviction(ctx context.Context) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	policy, err := s.evictionPolicy(ctx)
	switch {
	case err != nil:
		return err
	case policy == "":
		s.logger.WarnContext(ctx, "Redis does not tell its maxmemory-policy; it must be noeviction, or limits on guessing can be lost")
	case policy != "noeviction":
		return fmt.Errorf("redis: maxmemory-policy is %q and must be noeviction: evicted counters would give guesses back", policy)
	}
	return nil
}

// evictionPolicy is empty when the server won't tell.
func (s *Store) evictionPolicy(ctx context.Context) (policy string, err error) {
	err = s.within(ctx, func(ctx context.Context) error {
		config, err := s.client.ConfigGet(ctx, "maxmemory-policy").Result()
		policy = config["maxmemory-policy"]
		return orRefused(err)
	})
	if err != nil || policy != "" {
		return policy, err
	}
	err = s.within(ctx, func(ctx context.Context) error {
		info, err := s.client.Info(ctx, "memory").Result()
		for lines := bufio.NewScanner(strings.NewReader(info)); lines.Scan(); {
			if value, ok := strings.CutPrefix(lines.Text(), "maxmemory_policy:"); ok {
				policy = strings.TrimSpace(value)
			}
		}
		return orRefused(err)
	})
	return policy, err
}

// orRefused drops the error when the server answered that it won't: only a
// server that does not answer at all is a failure.
func orRefused(err error) error {
	var refused redis.Error
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

// Client is the underlying client, for metrics and tests. Keys that are
// written through it should begin with Prefix.
func (s *Store) Client() *redis.Client { return s.client }

// Prefix begins every key of this Store.
func (s *Store) Prefix() string { return s.prefix }

// Ping tells whether Redis answers, within 2 s.
func (s *Store) Ping(ctx context.Context) error {
	return s.within(ctx, func(ctx context.Context) error { return s.client.Ping(ctx).Err() })
}

// Close ends the connections, and the in-process Redis with all it holds.
func (s *Store) Close() error {
	err := s.client.Close()
	s.stop()
	return err
}

// within runs one call under the deadline, which the calls of OneRequest share.
// Whatever goes wrong is told as Unavailable, never as an answer.
func (s *Store) within(ctx context.Context, call func(context.Context) error) error {
	if err := s.impatiently(ctx, call); err != nil {
		return &domain.Error{Kind: domain.Unavailable, Message: domain.Say("error.unavailable"), Err: fmt.Errorf("redis: %w", err)}
	}
	return nil
}

// scan hands the keys that begin with prefix to each, a part at a time.
func (s *Store) scan(ctx context.Context, prefix string, each func(keys []string) error) error {
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		var keys []string
		err := s.within(ctx, func(ctx context.Context) (err error) {
			keys, cursor, err = s.client.Scan(ctx, cursor, globbed(prefix)+"*", 1000).Result()
			return err
		})
		if err == nil {
			err = each(keys)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// globbed keeps the braces and brackets of a prefix from being a pattern.
func globbed(prefix string) string {
	return strings.NewReplacer("[", `\[`, "]", `\]`, "*", `\*`, "?", `\?`, `\`, `\\`).Replace(prefix)
}
