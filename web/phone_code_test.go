package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

// breakable are the addresses of servers that tests break: a program on one of
// them has the deadlines of the real one.
var breakable sync.Map

// ownRedis is a Redis server that a test may break.
type ownRedis struct {
	t     *testing.T
	port  string
	admin *redis.Client
	stop  func()
}

func newOwnRedis(t *testing.T) *ownRedis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" && os.Getenv("TEST_EMBEDDED_ONLY") == "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed: not run on a server that may be broken")
	}
	port := freePorts(t, 1)[0]
	r := &ownRedis{t: t, port: port}
	breakable.Store(r.url(), true)
	r.start()
	r.admin = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	t.Cleanup(func() {
		_ = r.admin.Close()
		r.stop()
	})
	return r
}

func (r *ownRedis) url() string { return "redis://127.0.0.1:" + r.port + "/0" }

// start starts it, empty, and waits until it says that it is ready.
func (r *ownRedis) start() {
	r.t.Helper()
	cmd := exec.Command("redis-server", "--port", r.port, "--bind", "127.0.0.1", "--dir", r.t.TempDir(), "--save", "", "--maxmemory-policy", "noeviction") //nolint:noctx // ended by stop
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ready, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		once := sync.OnceFunc(func() { close(ready) })
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(strings.ToLower(lines.Text()), "ready to accept connections") {
				once()
			}
		}
	}()
	r.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-gone
		_ = cmd.Wait()
	})
	select {
	case <-ready:
	case <-gone:
		r.t.Fatal("redis-server ended at once")
	case <-time.After(30 * time.Second):
		r.t.Fatal("redis-server did not get ready")
	}
}

// do asks the server something past the program.
func (r *ownRedis) do(args ...any) {
	r.t.Helper()
	if err := r.admin.Do(r.t.Context(), args...).Err(); err != nil {
		r.t.Fatalf("%v: %v", args, err)
	}
}

// Redis goes away, hangs, or has no memory left while a code is being checked:
// the advisor is told so within two seconds and keeps the form, nobody is
// verified, and afterwards the guess has been counted at most once. What Redis
// has lost for good is rebuilt from the rows.
func TestPhoneCode_10_RedisFailsInTheMiddleOfACheck(t *testing.T) {
	for _, fault := range []struct {
		name string
		hit  func(r *ownRedis)
		mend func(r *ownRedis)
		lost bool
	}{
		// Reads go on: the session is found, and the check itself hangs.
		{"paused", func(r *ownRedis) { r.do("CLIENT", "PAUSE", 60000, "WRITE") }, func(r *ownRedis) { r.do("CLIENT", "UNPAUSE") }, false},
		{"out of memory", func(r *ownRedis) { r.do("CONFIG", "SET", "maxmemory", "1") }, func(r *ownRedis) { r.do("CONFIG", "SET", "maxmemory", "0") }, false},
		{"stopped", func(r *ownRedis) { r.stop() }, func(r *ownRedis) { r.start() }, true},
	} {
		t.Run(fault.name, func(t *testing.T) {
			r := newOwnRedis(t)
			env := []string{"DATA_DIR=" + t.TempDir()}
			if os.Getenv("TEST_DATABASE_URL") != "" {
				env = []string{"DEMO=true", "DATABASE_URL=" + sqltest.PostgresURL(t)}
			}
			p := start(t, append(env, "REDIS_URL="+r.url(), "CODE_TRIES_PER_DAY=2", "CODE_RESEND_AFTER=1s")...)
			db := openData(t, env)
			c := inspect(p.as("anna"))
			const phone = "+79165550001"
			visit := c.walk(p, customer{phone: phone}, domain.StepCode)
			c.sendCode(visit)
			code, step := p.codes(phone)[0], visit+"/code"
			c.send(step, step+"/checks", "code", wrong(code, 1))
			right := withFields(c.screen(c.get(step)).form(step+"/checks"), "code", code)

			fault.hit(r)
			// Redis would hang for a minute, or stay away: that there is an answer at
			// all is the program's patience, whose length TestOneRequestSharesItsDeadline
			// knows.
			for range 2 { // an impatient thumb
				a := c.do(http.MethodPost, step+"/checks", nil, right)
				if a.Status != http.StatusServiceUnavailable || !strings.Contains(c.screen(a).text(), russian(t, "error.unavailable")) {
					t.Errorf("%d\n%s", a.Status, c.screen(a).text())
				}
			}
			if got := db.rows(`SELECT id FROM verifications WHERE visit_id = $1`, idOf(visit)); len(got) != 0 {
				t.Errorf("verified without Redis: %q", got)
			}
			fault.mend(r)

			if fault.lost {
				// The code and the sign-in are gone; the wrong guess is not.
				c = inspect(p.as("anna"))
				c.sendCode(visit)
				code = p.codes(phone)[0]
				a := c.send(step, step+"/checks", "code", wrong(code, 1))
				if a.Status != http.StatusTooManyRequests {
					t.Errorf("the second wrong code of a day that has two: %d\n%s", a.Status, c.screen(a).text())
				}
			} else {
				c.goesTo(c.do(http.MethodPost, step+"/checks", nil, right), step)
			}
			got := db.one(`SELECT count(*) FROM code_attempts WHERE visit_id = $1 AND kind = 'check' AND verdict = 'wrong'`, idOf(visit))
			if want := map[bool]string{true: "2", false: "1"}[fault.lost]; got != want {
				t.Errorf("%s wrong guesses on record, want %s", got, want)
			}
			if got := db.rows(`SELECT verdict FROM code_attempts WHERE visit_id = $1 AND verdict = 'right'`, idOf(visit)); len(got) > 1 {
				t.Errorf("right codes on record: %s", fmt.Sprint(got))
			}
			if err := check(t.Context(), append(env, "REDIS_URL="+r.url()), newOutput()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// The check of the whole finds what somebody has spoilt, ends with an error
// and names it.
func TestCheck(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		visit := c.walk(p, customer{phone: "+79165550002", promo: p.promoCode()}, domain.StepOutcome)
		c.goesTo(c.purchase(visit), visit+"/summary")
		var out strings.Builder
		if err := command(t.Context(), []string{"check"}, env, &out); err != nil || !strings.Contains(out.String(), "agrees with its rows") {
			t.Fatalf("a sound program: %v\n%s", err, out.String())
		}
		db.exec(`UPDATE promo_codes SET used = used + 1 WHERE code = $1`, digits(p.promoCode()))
		out.Reset()
		err := command(t.Context(), []string{"check"}, env, &out)
		if err == nil || !strings.Contains(out.String(), "uses of a promo code, promo code 1: stored 2, counted 1") {
			t.Errorf("after damage: %v\n%s", err, out.String())
		}
		if setting(env, "REDIS_URL") != "" {
			db.exec(`UPDATE promo_codes SET used = used - 1 WHERE code = $1`, digits(p.promoCode()))
			db.exec(`DELETE FROM code_attempts WHERE kind = 'send'`)
			out.Reset()
			if err := command(t.Context(), []string{"check"}, env, &out); err == nil || !strings.Contains(out.String(), "limit on send") {
				t.Errorf("rows of limits are gone: %v\n%s", err, out.String())
			}
		}
		if err := command(t.Context(), []string{"chek"}, env, &out); err == nil || !strings.Contains(err.Error(), "chek") {
			t.Errorf("a slip in the word: %v", err)
		}
	})
}
