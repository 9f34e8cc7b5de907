package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

const deviceCookie = "prilavok_device"

// from is the header by which a proxy tells where a request comes from.
func from(address string) http.Header { return http.Header{"X-Forwarded-For": {address}} }

// deviceOf is what an answer has a device keep.
func deviceOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == deviceCookie {
			return c
		}
	}
	return nil
}

// While one address hammers, whoever has come in before comes in again: from
// their address without a cookie, and from anywhere by what their browser keeps.
func TestSignInWhileSomebodyHammers(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "TRUSTED_PROXIES=127.0.0.1", "SIGN_IN_ATTEMPTS=2", "SIGN_IN_ATTEMPTS_PER_ADDRESS=8")...)
		browser := p.client() // keeps cookies, as the others don't
		signIn := func(c *client, login, password, address string) answer {
			if c == nil {
				c = p.client()
				c.http.Jar = nil
			}
			return c.do(http.MethodPost, "/sign-in", from(address), form("login", login, "password", password))
		}
		must := func(what string, a answer, want int) {
			t.Helper()
			if a.Status != want {
				t.Errorf("%s: %d; expected %d", what, a.Status, want)
			}
		}
		first := signIn(browser, "anna", demoPassword, "198.51.100.8:4000")
		must("before", first, http.StatusSeeOther)
		if c := deviceOf(t, first); c == nil || c.Path != "/sign-in" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure || c.MaxAge != 180*24*3600 {
			t.Errorf("the device is to keep %+v", c)
		}
		must("a stranger", signIn(nil, "timur", demoPassword, "[2001:db8::7]:4000"), http.StatusSeeOther)
		for n := range 100 {
			login := []string{"anna", "timur", "olga", "vera", "admin"}[n%5]
			a := signIn(nil, login, "guess "+strconv.Itoa(n), "203.0.113.66:"+strconv.Itoa(50000+n))
			if want := http.StatusUnprocessableEntity; a.Status != want && (n < 5 || a.Status != http.StatusTooManyRequests) {
				t.Fatalf("guess %d: %d", n, a.Status)
			}
			if n%10 != 9 {
				continue
			}
			must("from where she was", signIn(nil, "anna", demoPassword, "198.51.100.8:"+strconv.Itoa(5000+n)), http.StatusSeeOther)
			must("from another port of a /64", signIn(nil, "timur", demoPassword, "2001:db8::"+strconv.Itoa(n)), http.StatusSeeOther)
			must("by what the browser keeps", signIn(browser, "anna", demoPassword, "203.0.113.66"), http.StatusSeeOther)
		}
		must("anybody from there", signIn(nil, "vera", demoPassword, "203.0.113.66"), http.StatusTooManyRequests)
		if id, keeps := browser.cookie("/counter"), browser.cookie("/sign-in"); strings.Contains(id, deviceCookie) || !strings.Contains(keeps, deviceCookie) {
			t.Errorf("the browser sends %q, and to sign in %q", id, keeps)
		}
	})
}

// cookie is what the browser sends to a path.
func (c *client) cookie(path string) string {
	req, err := http.NewRequest(http.MethodGet, c.base+path, nil) //nolint:noctx // never sent
	if err != nil {
		c.t.Fatal(err)
	}
	var names []string
	for _, cookie := range c.http.Jar.Cookies(req.URL) {
		names = append(names, cookie.Name)
	}
	return strings.Join(names, " ")
}
