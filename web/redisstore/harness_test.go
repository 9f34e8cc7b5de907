package redisstore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/sql/sqltest"
	"prilavok/web/redisstore"
)

// noon is when the tests of this package happen; only sign-in throttling and
// the TTLs run on the clock of Redis.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456000, time.UTC)

// each runs a test on the in-process Redis, and on the real one of
// TEST_REDIS_URL. What is tested is what Redis answers, not when: a busy
// machine has time. The tests of faults keep the deadline of the program. Under
// a prefix of its own a test shares nothing, so they run side by side.
func each(t *testing.T, test func(t *testing.T, s *redisstore.Store)) {
	t.Helper()
	t.Parallel()
	const deadline = time.Minute
	t.Run("in-process", func(t *testing.T) {
		sqltest.SkipEmbedded(t)
		test(t, openWithin(t, "", "", deadline))
	})
	t.Run("real", func(t *testing.T) { test(t, openWithin(t, realURL(t), "", deadline)) })
}

// realURL is TEST_REDIS_URL; without it the test is skipped, or fails in CI.
func realURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv("TEST_REDIS_URL")
	if url == "" {
		skipUnlessRequired(t, "TEST_REDIS_URL is not set: not run on a real Redis")
	}
	return url
}

// skipUnlessRequired skips a test that lacks something of its surroundings.
// In CI it fails instead, unless TEST_EMBEDDED_ONLY says that nothing but Go
// is expected there.
func skipUnlessRequired(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" && os.Getenv("TEST_EMBEDDED_ONLY") == "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// open opens a Redis under a random prefix, because other suites may use the
// same database at the same time. Its keys are deleted at the end through
// direct, where url itself may be dead by then.
func open(t *testing.T, url, direct string) *redisstore.Store {
	t.Helper()
	return openWithin(t, url, direct, 0)
}

// openWithin is open with another deadline of a call.
func openWithin(t *testing.T, url, direct string, deadline time.Duration) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), redisstore.Options{URL: url, Prefix: "test-" + domain.RandomToken(9) + ":", Deadline: deadline, ByCaller: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context is over by now.
		if err := deleteKeys(context.Background(), cmp.Or(direct, url), s.Prefix()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func deleteKeys(ctx context.Context, url, prefix string) error {
	if url == "" {
		return nil // it ends with the test
	}
	opt, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	client := redis.NewClient(opt)
	defer func() { _ = client.Close() }()
	found, err := scan(ctx, client, prefix)
	if err != nil || len(found) == 0 {
		return err
	}
	return client.Del(ctx, found...).Err()
}

// keys are all keys of s.
func keys(t *testing.T, s *redisstore.Store) []string {
	t.Helper()
	found, err := scan(t.Context(), s.Client(), s.Prefix())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func scan(ctx context.Context, client *redis.Client, prefix string) ([]string, error) {
	var found []string
	all := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for all.Next(ctx) {
		found = append(found, all.Val())
	}
	return found, all.Err()
}

// mustBeUnavailable runs call and fails when it hangs, or ends otherwise than
// with Unavailable. How long a call may take is what TestOneRequestSharesItsDeadline
// looks at; a busy machine takes longer to tell.
func mustBeUnavailable(t *testing.T, what string, call func() error) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	var err error
	select {
	case err = <-ended:
	case <-time.After(time.Minute):
		t.Fatalf("%s hangs", what)
	}
	var e *domain.Error
	if !errors.As(err, &e) || e.Kind != domain.Unavailable || e.Message.Key != "error.unavailable" || e.Err == nil {
		t.Errorf("%s gave %v; expected Unavailable with its cause", what, err)
	}
}

// checkTTLs fails when a key of s never ends, or ends later than its kind may.
// It gives the kinds that it has seen.
func checkTTLs(t *testing.T, s *redisstore.Store) (seen map[string]bool) {
	t.Helper()
	seen = map[string]bool{}
	limits := map[string]time.Duration{
		":visit:": 20 * time.Minute, ":pace:": time.Hour, ":counted": 400 * 24 * time.Hour,
		":wrong:phone:": 120 * 24 * time.Hour, ":wrong:staff:": 24 * time.Hour, ":wrong:store:": 24 * time.Hour,
		":self_wrong:": 24 * time.Hour, ":self_send:": time.Hour, ":restore:": 5 * time.Minute,
		":send:phone:": 24 * time.Hour, ":send:staff:": time.Hour, ":send:address:": time.Hour,
		":promo:":  24 * time.Hour,
		"session:": time.Hour, "rate:": 15*time.Minute + time.Second, "handset": 24 * time.Hour, "row:": 10 * time.Second,
		"}:address:": 15 * time.Minute, ":lane:": 15 * time.Minute, ":owner:": 90 * 24 * time.Hour,
	}
	for _, key := range keys(t, s) {
		ttl, err := s.Client().PTTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ttl == -2 {
			continue // it has ended meanwhile
		}
		known := false
		for part, limit := range limits {
			if name := strings.TrimPrefix(key, s.Prefix()); strings.Contains(name, part) {
				known, seen[part] = true, true
				if ttl < 0 || ttl > limit {
					t.Errorf("%s lives %v; expected an end, and after at most %v", name, ttl, limit)
				}
			}
		}
		if !known {
			t.Errorf("%s is a key of an unknown kind", key)
		}
	}
	return seen
}

func textLogger(out *strings.Builder) *slog.Logger { return slog.New(slog.NewTextHandler(out, nil)) }

// snapshot is all that s holds, without the TTLs.
func snapshot(t *testing.T, s *redisstore.Store) string {
	t.Helper()
	var all []string
	for _, key := range keys(t, s) {
		var value any
		var err error
		switch kind := s.Client().Type(t.Context(), key).Val(); kind {
		case "hash":
			value, err = s.Client().HGetAll(t.Context(), key).Result()
		case "zset":
			value, err = s.Client().ZRangeWithScores(t.Context(), key, 0, -1).Result()
		case "string":
			value, err = s.Client().Get(t.Context(), key).Result()
		default:
			t.Fatalf("%s is a %q", key, kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(key, " ", value))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
