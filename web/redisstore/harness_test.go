package redisstore_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// noon is when the tests of this package happen; only sign-in throttling and
// the TTLs run on the clock of Redis.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456000, time.UTC)

// each runs a test on the in-process Redis, and on the real one of
// TEST_REDIS_URL.
func each(t *testing.T, test func(t *testing.T, s *redisstore.Store)) {
	t.Helper()
	t.Run("in-process", func(t *testing.T) { test(t, open(t, "", "")) })
	t.Run("real", func(t *testing.T) { test(t, open(t, realURL(t), "")) })
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
	s, err := redisstore.Open(t.Context(), redisstore.Options{URL: url, Prefix: "test-" + domain.RandomToken(9) + ":"})
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

// mustBeUnavailable runs call and fails when it takes more than 2 s, or ends
// otherwise than with Unavailable.
func mustBeUnavailable(t *testing.T, what string, call func() error) {
	t.Helper()
	start := time.Now()
	err := call()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("%s answered after %v; 2 s are allowed", what, took)
	}
	var e *domain.Error
	if !errors.As(err, &e) || e.Kind != domain.Unavailable || e.Message.Key != "error.unavailable" || e.Err == nil {
		t.Errorf("%s gave %v; expected Unavailable with its cause", what, err)
	}
}

// checkTTLs fails when a key of s never ends, or ends later than its kind may.
func checkTTLs(t *testing.T, s *redisstore.Store) {
	t.Helper()
	limits := map[string]time.Duration{
		":visit:": 20 * time.Minute, ":pace": time.Hour, ":wrong": 24 * time.Hour,
		"session:": time.Hour, "rate:": 15*time.Minute + time.Second, "handset": 24 * time.Hour,
	}
	for _, key := range keys(t, s) {
		ttl, err := s.Client().PTTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		known := false
		for part, limit := range limits {
			if name := strings.TrimPrefix(key, s.Prefix()); strings.Contains(name, part) {
				known = true
				if ttl <= 0 || ttl > limit {
					t.Errorf("%s lives %v; expected more than 0 and at most %v", name, ttl, limit)
				}
			}
		}
		if !known {
			t.Errorf("%s is a key of an unknown kind", key)
		}
	}
}

// privateRedis starts a Redis server that the test may break.
func privateRedis(t *testing.T) (url string, admin *redis.Client) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		skipUnlessRequired(t, "redis-server is not installed: not run on a server that may be broken")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "redis.sock")
	cmd := exec.Command(binary, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--maxmemory-policy", "noeviction") //nolint:noctx // ended below, in order
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		once := sync.OnceFunc(func() { close(ready) })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "ready to accept connections") {
				once()
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-gone
		_ = cmd.Wait()
	})
	select {
	case <-ready:
	case <-gone:
		t.Fatal("redis-server ended at once")
	case <-time.After(30 * time.Second):
		t.Fatal("redis-server did not get ready")
	}
	admin = redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	t.Cleanup(func() { _ = admin.Close() })
	return "unix://" + socket + "?db=0", admin
}

// proxy stands between a client and a Redis server, and can fail as networks
// do.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	stalled bool
	held    sync.RWMutex // locked while the proxy stalls
	conns   []net.Conn
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target}
	go p.serve()
	t.Cleanup(func() {
		p.cut()
		p.stall(false)
	})
	return p
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target) //nolint:noctx // local
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		go p.pipe(client, server)
		go p.pipe(server, client)
	}
}

func (p *proxy) pipe(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if p.pass(to, buf[:n]) != nil || err != nil {
			return
		}
	}
}

// pass waits until the proxy stalls no more.
func (p *proxy) pass(to net.Conn, data []byte) error {
	p.held.RLock()
	defer p.held.RUnlock()
	_, err := to.Write(data)
	return err
}

// stall holds back every byte in both directions, or lets them go.
func (p *proxy) stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on != p.stalled {
		p.stalled = on
		if on {
			p.held.Lock()
		} else {
			p.held.Unlock()
		}
	}
}

// drop closes the connections that are open.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

// cut closes the connections and takes no more.
func (p *proxy) cut() {
	_ = p.listener.Close()
	p.drop()
}

// proxied opens the real Redis through a proxy.
func proxied(t *testing.T) (*redisstore.Store, *proxy) {
	t.Helper()
	direct := realURL(t)
	through, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, through.Host)
	through.Host = p.listener.Addr().String()
	return open(t, through.String(), direct), p
}

func textLogger(out *strings.Builder) *slog.Logger { return slog.New(slog.NewTextHandler(out, nil)) }
