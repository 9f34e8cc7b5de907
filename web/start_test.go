package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

const demoPassword = "a demo password"

// program is one running instance of the whole program, started as the real
// one is.
type program struct {
	t    testing.TB
	URL  string
	out  *output
	stop func() error // ends it as SIGTERM would and gives run's error; once
}

// backend is what an instance stands on.
type backend struct {
	name string
	env  func(t testing.TB) []string
}

// embedded is the backend that needs nothing but the program.
const embedded = "embedded"

// backends are the embedded default, and PostgreSQL with Redis where the
// environment names them. In CI a missing one fails.
func backends(t testing.TB) []backend {
	t.Helper()
	all := []backend{{embedded, func(t testing.TB) []string { return []string{"DATA_DIR=" + t.TempDir()} }}}
	if os.Getenv("TEST_DATABASE_URL") == "" || os.Getenv("TEST_REDIS_URL") == "" {
		if os.Getenv("CI") != "" && os.Getenv("TEST_EMBEDDED_ONLY") == "" {
			t.Fatal("TEST_DATABASE_URL and TEST_REDIS_URL must be set in CI")
		}
		return all
	}
	return append(all, backend{"postgres and redis", func(t testing.TB) []string {
		return []string{
			"DEMO=true", "DATABASE_URL=" + sqltest.PostgresURL(t), "REDIS_URL=" + os.Getenv("TEST_REDIS_URL"),
			"REDIS_PREFIX=test-" + domain.RandomToken(8) + ":",
		}
	}})
}

// eachBackend runs a test on every backend. Since each time it is a program on
// data of its own, tests that call it run side by side.
func eachBackend(t *testing.T, f func(t *testing.T, env []string)) {
	t.Helper()
	eachFresh(t, func(t *testing.T, fresh func(testing.TB) []string) { f(t, fresh(t)) })
}

// eachFresh is eachBackend for tests of many parts, each of which wants data of
// its own: fresh gives the settings for them.
func eachFresh(t *testing.T, f func(t *testing.T, fresh func(testing.TB) []string)) {
	t.Helper()
	t.Parallel()
	for _, b := range backends(t) {
		t.Run(b.name, func(t *testing.T) {
			if b.name == embedded {
				sqltest.SkipEmbedded(t)
			}
			f(t, b.env)
		})
	}
}

// onServer tells the settings that put a program on PostgreSQL or a real Redis.
func onServer(setting string) bool {
	name, value, _ := strings.Cut(setting, "=")
	return (name == "DATABASE_URL" || name == "REDIS_URL") && value != ""
}

// start runs the program with the demo until the test ends, and waits until
// it says that it is ready. A program on the embedded parts alone is skipped
// where they are tested elsewhere.
func start(t testing.TB, env ...string) *program {
	t.Helper()
	if !slices.ContainsFunc(env, onServer) {
		sqltest.SkipEmbedded(t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{t: t, out: newOutput()}
	// The attempts at signing in are limited; a test signs in as often as it
	// likes unless it says otherwise.
	settings := append([]string{
		"ADDR=127.0.0.1:0", "DEMO_PASSWORD=" + demoPassword, "LOG_LEVEL=info",
	}, env...)
	ended := make(chan error, 1)
	// A busy machine has time, unless it is Redis that shall fail.
	within := time.Minute
	if _, breaks := breakable.Load(setting(env, "REDIS_URL")); breaks {
		within = 0
	}
	go func() { ended <- runWithin(ctx, settings, p.out, within) }()
	p.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Minute):
			return fmt.Errorf("the program did not stop within a minute")
		}
	})
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
		if t.Failed() {
			t.Logf("output of the program:\n%s", p.out)
		}
	})
	select {
	case p.URL = <-p.out.ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the program did not start: %v\n%s", err, p.out)
	case <-time.After(time.Minute):
		t.Fatalf("the program did not become ready within a minute\n%s", p.out)
	}
	return p
}

// promoCode is the friend's code that the demo told.
func (p *program) promoCode() string {
	p.t.Helper()
	m := regexp.MustCompile(`promo code to try: ([\d ]+)`).FindStringSubmatch(p.out.String())
	if m == nil {
		p.t.Fatalf("no promo code was told:\n%s", p.out)
	}
	return strings.TrimSpace(m[1])
}

// output collects what the program says and tells when it is ready.
type output struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	ready chan string
	done  bool
}

func newOutput() *output { return &output{ready: make(chan string, 1)} }

var readyLine = regexp.MustCompile(`(?m)^Prilavok is ready: (\S+)$`)

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.buf.Write(b)
	if o.done {
		return n, err
	}
	if m := readyLine.FindSubmatch(o.buf.Bytes()); m != nil {
		o.done = true
		o.ready <- string(m[1])
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// client is a browser without a script: it keeps cookies and follows
// redirects only when asked to.
type client struct {
	t    testing.TB
	base string
	http *http.Client
}

// answer is a response whose body has been read.
type answer struct {
	Status   int
	Header   http.Header
	Body     string
	Location string
}

func (p *program) client() *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return &client{t: p.t, base: p.URL, http: &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// as gives a client that is signed in; an advisor of several stores chooses
// none yet.
func (p *program) as(login string) *client {
	p.t.Helper()
	c := p.client()
	if a := c.post("/sign-in", "login", login, "password", demoPassword); a.Status != http.StatusSeeOther {
		p.t.Fatalf("sign in as %s: %d\n%s", login, a.Status, a.Body)
	}
	return c
}

func (c *client) do(method, path string, header http.Header, form string) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, c.base+path, strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c.ask(req)
}

// ask sends a request and reads its answer.
func (c *client) ask(req *http.Request) answer {
	c.t.Helper()
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{Status: res.StatusCode, Header: res.Header, Body: string(body), Location: res.Header.Get("Location")}
}

func (c *client) get(path string) answer {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, "")
}

// post sends a form of alternating names and values.
func (c *client) post(path string, pairs ...string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, path, nil, form(pairs...))
}

// part sends a form as htmx does, for a part of the page.
func (c *client) part(path string, pairs ...string) answer {
	c.t.Helper()
	return c.do(http.MethodPost, path, http.Header{"Hx-Request": {"true"}, "Hx-Request-Type": {"partial"}}, form(pairs...))
}

func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}
