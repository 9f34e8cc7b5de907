package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

// slowly begins a POST whose body is only half there when the program has
// begun to work on it, and gives a function that sends the rest and reads the
// answer.
func slowly(c *client, path, form string) (finish func() (answer, error)) {
	c.t.Helper()
	address := strings.TrimPrefix(c.base, "http://")
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(c.t.Context(), "tcp", address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	var cookies []string
	for _, cookie := range c.http.Jar.Cookies(req.URL) {
		cookies = append(cookies, cookie.Name+"="+cookie.Value)
	}
	// The server answers 100 when a handler asks for the body: from there on
	// the request is being worked on.
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		path, address, strings.Join(cookies, "; "), len(form))
	if err != nil {
		c.t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		c.t.Fatalf("the server says %q: %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		c.t.Fatal(err)
	}
	half := len(form) / 2
	if _, err := conn.Write([]byte(form[:half])); err != nil {
		c.t.Fatal(err)
	}
	return func() (answer, error) {
		if _, err := conn.Write([]byte(form[half:])); err != nil {
			return answer{}, err
		}
		res, err := http.ReadResponse(reader, req)
		if err != nil {
			return answer{}, err
		}
		return answer{Status: res.StatusCode, Location: res.Header.Get("Location")}, res.Body.Close()
	}
}

// A signal to stop cuts no request: what was begun is answered and saved.
func TestStopLetsRequestsFinish(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		c := p.as("anna")
		visit := c.walk(p, customer{anonymous: true}, domain.StepOutcome)
		form := c.screen(c.get(visit + "/outcome")).form(visit + "/outcome")
		finish := slowly(c, visit+"/outcome", withFields(form, "outcome", "purchase", "product", "1"))
		c.http.CloseIdleConnections()

		stopped := make(chan error, 1)
		go func() { stopped <- p.stop() }()
		// The door closes to newcomers before anybody inside is sent away.
		address := strings.TrimPrefix(p.URL, "http://")
		for deadline := time.Now().Add(20 * time.Second); ; {
			conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				break
			}
			_ = conn.Close()
			if time.Now().After(deadline) {
				t.Fatal("the program still takes new connections")
			}
		}
		select {
		case err := <-stopped:
			t.Fatalf("the program ended under a running request: %v", err)
		default:
		}
		a, err := finish()
		if err != nil {
			t.Fatalf("the request was cut: %v", err)
		}
		c.goesTo(a, visit+"/summary")
		if err := <-stopped; err != nil {
			t.Errorf("run: %v", err)
		}
		if got := db.one(`SELECT outcome FROM visits WHERE id = $1`, idOf(visit)); got != "purchase" {
			t.Errorf("the sale was not saved: %q", got)
		}
	})
}

// A request that never ends does not keep the program for ever.
func TestStopHasADeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, ended := newOutput(), make(chan error, 1)
	env := []string{"DATA_DIR=" + t.TempDir(), "ADDR=127.0.0.1:0", "DEMO_PASSWORD=" + demoPassword, "STOP_TIMEOUT=1s"}
	go func() { ended <- run(ctx, env, out) }()
	p := &program{t: t, out: out}
	select {
	case p.URL = <-out.ready:
	case err := <-ended:
		t.Fatalf("%v\n%s", err, out)
	}
	_ = slowly(p.client(), "/sign-in", form("login", "anna", "password", "x"))
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a cut request is not told of")
		}
	case <-time.After(patience):
		t.Fatal("the program does not stop")
	}
}

// A restart keeps everything that is not in the in-process Redis.
func TestRestart(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		if !strings.Contains(p.out.String(), demoPassword) || !strings.Contains(p.out.String(), "promo code to try") {
			t.Fatalf("the first start tells nothing:\n%s", p.out)
		}
		c := p.as("anna")
		const phone = "+79168100001"
		visit := c.walk(p, customer{phone: phone, promo: p.promoCode()}, domain.StepOutcome)
		open := c.walk(p, customer{phone: "+79168100002", name: "Зинаида", unverified: true}, domain.StepPromo)
		c.goesTo(c.purchase(visit), visit+"/summary")
		db := openData(t, env)
		before := db.dump(false)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if after := db.dump(false); after != before {
			t.Errorf("stopping changed something:\n%s", difference(before, after))
		}

		q := start(t, env...)
		for _, told := range []string{demoPassword, "A demo was made", "promo code to try"} {
			if strings.Contains(q.out.String(), told) {
				t.Errorf("the second start tells %q", told)
			}
		}
		if after := db.dump(false); after != before {
			t.Errorf("the second start changed something:\n%s", difference(before, after))
		}
		c = q.as("anna") // the password is the old one
		if text := c.screen(c.get(visit + "/summary")).text(); !strings.Contains(text, "3 391,50") {
			t.Errorf("the sale after the restart: %s", text)
		}
		s := c.screen(c.get(open + "/contact"))
		if got := attr(s.field("Имя"), "value"); got != "Зинаида" {
			t.Errorf("the open visit lost the name: %q", got)
		}
		if got := attr(s.field("Телефон"), "value"); digits(got) != "79168100002" {
			t.Errorf("the open visit lost the phone: %q", got)
		}
		c.goesTo(c.get(open), open+"/promo")
	})
}

// Every wrong setting is told in one message, and nothing has been touched.
func TestWrongSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	out := newOutput()
	err := run(t.Context(), []string{
		"DATA_DIR=" + dir, "ADDR=nowhere", "CODE_LENGTH=3", "MESSAGE_AT=25:00", "LOG_LEVEL=loud", "DATABASE_URL=mysql://user:hunter2@host/db", "DEMO=perhaps",
	}, out)
	if err == nil {
		t.Fatal("the program started")
	}
	for _, name := range []string{"ADDR", "CODE_LENGTH", "MESSAGE_AT", "LOG_LEVEL", "DATABASE_URL", "DEMO"} {
		if !strings.Contains(err.Error(), name+":") {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	if strings.Contains(err.Error()+out.String(), "hunter2") {
		t.Errorf("the password is told: %v", err)
	}
	if _, err := os.Stat(dir); err == nil || out.String() != "" {
		t.Errorf("something was made or said: %v, %q", err, out)
	}
}

// Where a part cannot be had, the start fails with its name and without a
// password.
func TestStartFails(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	// A port that was free a moment ago and where nobody answers.
	dead, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := dead.Addr().String()
	_ = dead.Close()
	secret := "SECRET_KEY=" + strings.Repeat("k", 32)
	for name, env := range map[string][]string{
		"listen":   {"ADDR=" + taken.Addr().String()},
		"database": {"DATABASE_URL=postgres://till:hunter2@" + nobody + "/till?sslmode=disable", secret},
		"redis":    {"REDIS_URL=redis://:hunter2@" + nobody + "/0", secret},
	} {
		out := newOutput()
		err := run(t.Context(), append(env, "DATA_DIR="+t.TempDir(), "DEMO=false"), out)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), name) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(err)+out.String(), "hunter2") {
			t.Errorf("%s tells the password: %v\n%s", name, err, out)
		}
		if strings.Contains(out.String(), "is ready") {
			t.Errorf("%s: the program said that it is ready", name)
		}
	}
}

// Outside of the demo there is nobody, no phone and no way in.
func TestWithoutDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, "DATA_DIR="+dir, "DEMO=false")
	db := openData(t, []string{"DATA_DIR=" + dir})
	for _, table := range []string{"staff", "stores", "programmes", "visits", "contacts"} {
		if n := db.one(`SELECT count(*) FROM ` + table); n != "0" {
			t.Errorf("%s rows in %s", n, table)
		}
	}
	if out := p.out.String(); strings.Contains(out, demoPassword) || !strings.Contains(out, "no staff") || !strings.Contains(out, "no SMS gateway") {
		t.Errorf("the start tells:\n%s", out)
	}
	c := inspect(p.client())
	for _, a := range []answer{c.get("/handset"), c.get("/handset?n=x"), c.post("/handset/messages/1/sendings")} {
		if a.Status != http.StatusNotFound {
			t.Errorf("the handset: %d", a.Status)
		}
	}
	a := c.get("/sign-in")
	if a.Status != http.StatusOK || strings.Contains(a.Body, "/handset") {
		t.Errorf("sign-in: %d, and a way to the handset", a.Status)
	}
	if a := c.post("/sign-in", "login", "anna", "password", demoPassword); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("anna without a demo: %d", a.Status)
	}
}

func TestProbes(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		c := inspect(p.client())
		if a := c.get("/healthz"); a.Status != http.StatusOK || strings.TrimSpace(a.Body) != "ok" {
			t.Errorf("/healthz: %d %q", a.Status, a.Body)
		}
		a := c.get("/readyz")
		var parts map[string]string
		if err := json.Unmarshal([]byte(a.Body), &parts); err != nil {
			t.Fatalf("%v: %s", err, a.Body)
		}
		if a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" || len(parts) != 2 || parts["database"] != "ok" || parts["redis"] != "ok" {
			t.Errorf("/readyz: %d %v", a.Status, parts)
		}
		for _, a := range []answer{c.do(http.MethodHead, "/healthz", nil, ""), c.do(http.MethodHead, "/readyz", nil, "")} {
			if !slices.Contains([]int{http.StatusOK, http.StatusMethodNotAllowed}, a.Status) {
				t.Errorf("HEAD: %d", a.Status)
			}
		}
	})
}
