package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"prilavok/domain"
)

const sessionCookie = "prilavok_session"

// cookieOf is the session's id that an answer sets; empty where it sets none.
func cookieOf(a answer) string {
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == sessionCookie {
			return c.Value
		}
	}
	return ""
}

// holding gives a stranger's browser that has been handed a session id.
func (p *program) holding(id string) *client {
	c := inspect(p.client())
	c.http.Jar = nil
	c.http.Transport = withCookie{id, c.http.Transport}
	return c
}

type withCookie struct {
	id   string
	next http.RoundTripper
}

func (w withCookie) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: w.id})
	return w.next.RoundTrip(r)
}

func (c *client) signedIn() bool {
	c.t.Helper()
	a := c.get("/promo-check")
	if a.Status == http.StatusOK {
		return true
	}
	if a.Status != http.StatusSeeOther || a.Location != "/sign-in?back=%2Fpromo-check" {
		c.t.Errorf("GET /promo-check: %d → %q", a.Status, a.Location)
	}
	return false
}

// An id that was known before sign-in is worth nothing after it.
func TestSessionFixation(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		for _, planted := range []string{domain.RandomToken(32), "made up", "", strings.Repeat("A", 43)} {
			victim := p.holding(planted)
			if victim.signedIn() {
				t.Fatalf("the id %q is signed in without a password", planted)
			}
			a := victim.post("/sign-in", "login", "anna", "password", demoPassword)
			if id := cookieOf(a); a.Status != http.StatusSeeOther || id == "" || id == planted {
				t.Errorf("planted %q: %d, the session's id is %q", planted, a.Status, id)
			}
			if p.holding(planted).signedIn() {
				t.Errorf("whoever planted %q is signed in", planted)
			}
		}
		// A live session of somebody else is no exception, and neither is
		// signing in again as the same person.
		first := cookieOf(p.client().post("/sign-in", "login", "timur", "password", demoPassword))
		for _, login := range []string{"anna", "anna"} {
			second := cookieOf(p.holding(first).post("/sign-in", "login", login, "password", demoPassword))
			if second == "" || second == first || p.holding(first).signedIn() || !p.holding(second).signedIn() {
				t.Errorf("signing in over a session: %q then %q", first, second)
			}
			first = second
		}
		// The chosen store of the one before does not come along.
		c := p.at("olga", ural)
		c.post("/sign-in", "login", "olga", "password", demoPassword)
		if a := c.get("/counter"); a.Location != "/store" {
			t.Errorf("the store of the session before came along: %d → %q", a.Status, a.Location)
		}
	})
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir())
	a := p.client().post("/sign-in", "login", "anna", "password", demoPassword)
	cookie := ""
	for _, line := range a.Header.Values("Set-Cookie") {
		if strings.HasPrefix(line, sessionCookie+"=") {
			cookie = line
		}
	}
	for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=50400"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q lacks %s", cookie, part)
		}
	}
	if strings.Contains(cookie, "Secure") || strings.Contains(cookie, "Domain") {
		t.Errorf("on plain http the cookie is %q", cookie)
	}
}

// An unknown login, a wrong password and a closed account cannot be told
// apart.
func TestSignInTellsNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		db.exec(`UPDATE staff SET active = (1 = 0) WHERE login = 'timur'`)
		c := inspect(p.client())
		answers := map[string]string{}
		for _, login := range []string{"nadya", "annas", "timur", "ANNA", "anna "} {
			password := demoPassword
			if strings.HasPrefix(strings.ToLower(login), "anna") && login != "annas" {
				password = "guess of a stranger"
			}
			a := c.post("/sign-in", "login", login, "password", password)
			if a.Status != http.StatusUnprocessableEntity || len(a.Header.Values("Set-Cookie")) > 0 {
				t.Errorf("%q: %d, Set-Cookie %q", login, a.Status, a.Header.Values("Set-Cookie"))
			}
			if strings.Contains(a.Body, password) {
				t.Errorf("%q: the password comes back", login)
			}
			body := strings.ReplaceAll(a.Body, `value="`+login+`"`, `value="…"`)
			answers[body] += login + " "
		}
		if len(answers) != 1 {
			t.Errorf("the answers differ: %d kinds", len(answers))
		}
		for _, told := range []string{demoPassword, "guess of a stranger"} {
			// The demo's own list of passwords is there on purpose, once.
			_, after, _ := strings.Cut(p.out.String(), "Prilavok is ready")
			if strings.Contains(after, told) {
				t.Errorf("the log has %q", told)
			}
		}
		// Upper case and spaces are no other login.
		if a := inspect(p.client()).post("/sign-in", "login", " Anna ", "password", demoPassword); a.Status != http.StatusSeeOther {
			t.Errorf("« Anna »: %d", a.Status)
		}
	})
}

func TestSignInThrottled(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "SIGN_IN_ATTEMPTS=3", "SIGN_IN_ATTEMPTS_PER_ADDRESS=10")...)
		c := inspect(p.client())
		// A machine with much to do may look at no password in time, and says so. That
		// counts for the address alone; whoever signs in tries again.
		unseen := 0
		try := func(login, password string, header http.Header) answer {
			for {
				a := c.do(http.MethodPost, "/sign-in", header, form("login", login, "password", password))
				if a.Status != http.StatusServiceUnavailable {
					return a
				}
				unseen++
			}
		}
		waits := func(login, password string, header http.Header) {
			t.Helper()
			a := try(login, password, header)
			wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
			if a.Status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 15*60 {
				t.Errorf("%s: %d, Retry-After %q", login, a.Status, a.Header.Get("Retry-After"))
			}
			if s := c.screen(a); len(find(s.root, withAttr("data-error-summary", ""))) != 1 || typedIn(s, "login") != login {
				t.Errorf("%s: the form does not say so: %s", login, s.text())
			}
		}
		for n := range 3 {
			if a := try("anna", fmt.Sprintf("guess %d", n), nil); a.Status != http.StatusUnprocessableEntity {
				t.Errorf("guess %d: %d", n, a.Status)
			}
		}
		waits("anna", "guess 4", nil)
		waits("anna", demoPassword, nil)
		waits("ANNA", demoPassword, nil)
		// A forged address of the client is no way round.
		waits("anna", demoPassword, http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Real-Ip": {"203.0.113.7"}, "Forwarded": {"for=203.0.113.7"}})
		// Nobody else waits for that, and a right password counts nothing.
		for range 5 {
			if a := try("timur", demoPassword, nil); a.Status != http.StatusSeeOther {
				t.Errorf("another login: %d", a.Status)
			}
		}
		// From one address, over all logins: three wrong ones and four that were refused so far.
		for n := range 3 - unseen {
			if a := try(fmt.Sprintf("guess%d", n), "guess", nil); a.Status != http.StatusUnprocessableEntity {
				t.Errorf("another login, guess %d: %d", n, a.Status)
			}
		}
		// What has drained meanwhile on a slow machine is filled again by what is refused.
		for range 2 {
			waits("anna", "guess 5", nil)
		}
		waits("vera", demoPassword, nil)
		waits("vera", demoPassword, http.Header{"X-Forwarded-For": {"203.0.113.8"}})
	})
}

// Signing out ends the session on the server, not only in the browser.
func TestSignOut(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		id := cookieOf(p.client().post("/sign-in", "login", "anna", "password", demoPassword))
		thief, other := p.holding(id), inspect(p.as("anna"))
		if !thief.signedIn() {
			t.Fatal("not signed in")
		}
		if a := p.holding(id).post("/sign-out"); a.Status != http.StatusSeeOther || a.Location != "/sign-in" || cookieOf(a) != "" {
			t.Errorf("sign out: %d → %q, cookie %q", a.Status, a.Location, cookieOf(a))
		}
		if thief.signedIn() {
			t.Error("the old cookie still works")
		}
		if a := thief.post("/visits", "request_id", "after the end"); a.Location != "/sign-in" {
			t.Errorf("a form of the old session: %d → %q", a.Status, a.Location)
		}
		if !other.signedIn() {
			t.Error("the session on another tablet has ended too")
		}
		if a := thief.post("/sign-out"); a.Status != http.StatusSeeOther {
			t.Errorf("signing out twice: %d", a.Status)
		}
	})
}

// Who somebody is, is asked anew with every request.
func TestStaffChanges(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		visit := c.walk(p, customer{}, domain.StepAge)
		db.exec(`DELETE FROM staff_stores WHERE staff_id = (SELECT id FROM staff WHERE login = 'anna')`)
		if a := c.get(visit + "/age"); a.Location != "/store" {
			t.Errorf("an advisor without a store: %d → %q", a.Status, a.Location)
		}
		if a := c.get("/store"); a.Status != http.StatusOK || !strings.Contains(a.Body, russian(t, "store.none_title")) {
			t.Errorf("the choice of a store without one: %d", a.Status)
		}
		db.exec(`INSERT INTO staff_stores (staff_id, store_id) SELECT s.id, st.id FROM staff s, stores st WHERE s.login = 'anna' AND st.name = $1`, moscow)
		if a := c.get(visit + "/age"); a.Status != http.StatusOK {
			t.Errorf("back in the store: %d → %q", a.Status, a.Location)
		}
		db.exec(`UPDATE staff SET role = 'supervisor' WHERE login = 'anna'`)
		if a := c.get(visit + "/age"); a.Status != http.StatusForbidden {
			t.Errorf("no advisor any more: %d → %q", a.Status, a.Location)
		}
		db.exec(`UPDATE staff SET role = 'advisor', active = (1 = 0) WHERE login = 'anna'`)
		if c.signedIn() {
			t.Error("a closed account is still signed in")
		}
		if a := c.post(visit+"/age", "age", "no_doubt"); a.Status != http.StatusSeeOther || a.Location != "/sign-in" {
			t.Errorf("a form of a closed account: %d → %q", a.Status, a.Location)
		}
		if got := db.one(`SELECT age FROM visits WHERE id = $1`, idOf(visit)); got != "" {
			t.Errorf("the visit went on: %q", got)
		}
	})
}

// Two instances on one PostgreSQL and one Redis are one program: sessions,
// codes and the demo.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	all := backends(t)
	if len(all) == 1 {
		t.Skip("needs TEST_DATABASE_URL and TEST_REDIS_URL")
	}
	env := all[1].env(t)
	p := start(t, env...)
	q := start(t, env...)
	if strings.Contains(q.out.String(), "A demo was made") {
		t.Error("the second instance made the demo again")
	}
	const phone = "+79168000001"
	here := inspect(p.as("anna"))
	visit := here.walk(p, customer{phone: phone}, domain.StepCode)
	here.sendCode(visit)
	// The balancer sends the next request to the other one.
	there := &client{t: t, base: q.URL, http: here.http}
	code := q.codes(phone)[0]
	for range 2 {
		if a := there.send(visit+"/code", visit+"/code/checks", "code", wrong(code, 1)); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("a wrong code there: %d", a.Status)
		}
	}
	// The count is shared: one try is left here as well.
	if a := here.send(visit+"/code", visit+"/code/checks", "code", wrong(code, 2)); !strings.Contains(here.screen(a).text(), russian(t, "code.locked")) {
		t.Errorf("the third wrong one here: %s", here.screen(a).text())
	}
	visit = here.walk(p, customer{phone: "+79168000002"}, domain.StepCode)
	here.sendCode(visit)
	there.goesTo(there.send(visit+"/code", visit+"/code/checks", "code", q.codes("+79168000002")[0]), visit+"/code")
	here.goesTo(here.post(visit+"/promo", "go", "on"), visit+"/outcome")
	there.goesTo(there.purchase(visit), visit+"/summary")
	there.goesTo(there.post("/sign-out"), "/sign-in")
	if here.signedIn() {
		t.Error("signed out there and still signed in here")
	}
}
