package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"prilavok/domain"
	"prilavok/sql/sqltest"
	"prilavok/static"
)

// Every screen of a visit, in both languages and in every notable state, is
// held against the rules of htmlcheck_test.go by the client itself.
func TestPages(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	for _, language := range []string{"ru", "en"} {
		t.Run(language, func(t *testing.T) {
			env := []string{"DATA_DIR=" + t.TempDir(), "CODE_RESEND_AFTER=1s"}
			p := start(t, env...)
			c := p.at("olga", moscow)
			guest, vera, admin := inspect(p.client()), inspect(p.as("vera")), inspect(p.as("admin"))
			for _, who := range []*client{c, guest, vera, admin} {
				who.goesTo(who.post("/language", "language", language, "back", "/"), "/")
			}
			see := func(c *client, path string) {
				t.Helper()
				a := c.get(path)
				if a.Status != http.StatusOK || !strings.Contains(a.Body, `<html lang="`+language+`"`) {
					t.Errorf("GET %s: %d → %q", path, a.Status, a.Location)
				}
			}
			see(guest, "/sign-in")
			see(guest, "/handset")
			see(c, "/store")
			see(c, "/counter")
			see(c, "/promo-check")
			see(vera, "/visits")
			see(vera, "/incoming") // nothing has come yet
			see(vera, "/withdrawals")
			vera.send("/withdrawals", "/withdrawals", "phone", "8 916 300 96 00", "reason", "По телефону", "sure", "yes")
			see(admin, "/withdrawals?done=yes")
			see(admin, "/stores")
			see(admin, "/gateways")
			if a := guest.get("/c/nobodys"); a.Status != http.StatusNotFound {
				t.Errorf("nobody's page: %d", a.Status)
			}

			const phone = "+79167000001"
			visit := c.walk(p, customer{phone: phone}, domain.StepCode)
			for _, tail := range []string{"/age", "/consents", "/contact", "/code", "/code/help"} {
				see(c, visit+tail)
			}
			see(c, "/counter") // with a visit to go on with
			c.sendCode(visit)
			see(c, visit+"/code")
			code := p.codes(phone)[0]
			c.send(visit+"/code", visit+"/code/checks", "code", wrong(code, 1))
			see(c, visit+"/code")
			page := c.customersPage(visit)
			see(guest, page)
			guest.send(page, page+"/checks", "code", "12")
			c.goesTo(c.post(visit+"/code/deferrals", "request_id", "later"), visit+"/code")
			see(c, visit+"/code")
			c.goesTo(c.send(visit+"/code", visit+"/code/checks", "code", code), visit+"/code")
			see(c, visit+"/code")
			see(c, visit+"/contact")
			see(c, visit+"/promo")
			c.send(visit+"/promo", visit+"/promo", "promo", "0000000001")
			c.goesTo(c.send(visit+"/promo", visit+"/promo", "promo", p.promoCode()), visit+"/promo")
			see(c, visit+"/promo")
			c.goesTo(c.post(visit+"/promo", "go", "on"), visit+"/outcome")
			see(c, visit+"/outcome")
			see(c, visit+"/outcome?outcome=purchase&product=1")
			see(vera, visit) // still open
			c.goesTo(c.send(visit+"/outcome", visit+"/outcome", "outcome", "purchase", "product", "1"), visit+"/summary")
			see(c, visit+"/summary")
			see(vera, visit)
			see(admin, visit)

			for outcome, who := range map[string]customer{
				"trial": {phone: "+79167000002"}, "left": {phone: "+79167000003", unverified: true},
				"purchase": {phone: "+79167000004", silent: true}, "": {anonymous: true},
			} {
				visit := c.walk(p, who, domain.StepOutcome)
				for _, tail := range []string{"/promo", "/outcome"} {
					if !who.anonymous || tail == "/outcome" {
						see(c, visit+tail)
					}
				}
				if outcome == "" {
					outcome = "trial"
				}
				c.goesTo(c.send(visit+"/outcome", visit+"/outcome", "outcome", outcome, "product", "1"), visit+"/summary")
				see(c, visit+"/summary")
				see(vera, visit)
			}
			for _, age := range [][]string{{"age", "refused"}, {"age", "document", "birth_date", "01.01.2024"}} {
				visit := c.walk(p, customer{}, domain.StepAge)
				c.goesTo(c.send(visit+"/age", visit+"/age", age...), visit+"/summary")
				see(c, visit+"/summary")
				see(vera, visit)
			}
			// The price alone, as htmx asks for it.
			visit = c.walk(p, customer{phone: "+79167000005", unverified: true}, domain.StepOutcome)
			a := c.do(http.MethodGet, visit+"/outcome?outcome=purchase&product=1", asPart, "")
			formCase{section: "visit-outcome-sum"}.isPart(t, c, a, "the sum")
			a = c.do(http.MethodGet, visit+"/outcome", http.Header{"Hx-Request": {"true"}, "Hx-Request-Type": {"partial"}, "Hx-Boosted": {"true"}}, "")
			if !strings.HasPrefix(a.Body, "<!doctype html>") {
				t.Error("a boosted link gets no whole page")
			}

			// Nine of these at least are a refusal in other words; all are
			// answers of the quick page.
			for _, typed := range []string{p.promoCode(), "123", "0000000001", "0000000000"} {
				c.asked(typed)
				vera.asked(typed)
			}
			for _, query := range []string{"?day=2020-01-01", "?day=31.12.2020", "?outcome=trial", "?outcome=open", "?store=1&advisor=1", "?before=1", "?before=x&store=x&advisor=-1&outcome=x"} {
				if a := vera.get("/visits" + query); a.Status != http.StatusOK && query != "?day=31.12.2020" {
					t.Errorf("GET /visits%s: %d", query, a.Status)
				}
				a := vera.do(http.MethodGet, "/visits"+query, asPart, "")
				formCase{section: "visit-list"}.isPart(t, vera, a, query)
			}

			// What was sent, and what customers write back.
			for i, text := range []string{"СТОП", "Старт", "<b>Когда подарок?</b>\nАнна", "нет, позвоните", ""} {
				id := wrote(openData(t, env), idOf(visit), text)
				if i == 3 {
					see(vera, "/incoming/"+id+"/stops")
				}
			}
			for list, queries := range map[string][]string{
				"message-list":  {"", "?day=2020-01-01", "?day=31.12.2020", "?state=scheduled", "?kind=code&channel=code&store=1", "?before=1", "?before=x&store=x&state=x&kind=x&channel=x"},
				"incoming-list": {"", "?unseen=yes", "?before=1", "?before=x"},
			} {
				path := map[string]string{"message-list": "/messages", "incoming-list": "/incoming"}[list]
				for _, query := range queries {
					if a := vera.get(path + query); a.Status != http.StatusOK && query != "?day=31.12.2020" {
						t.Errorf("GET %s%s: %d", path, query, a.Status)
					}
					formCase{section: list}.isPart(t, vera, vera.do(http.MethodGet, path+query, asPart, ""), path+query)
				}
			}

			// The handset with codes, with what is planned and with what came.
			see(guest, "/handset")
			home := guest.screen(guest.get("/handset"))
			for _, a := range find(home.root, tag("a")) {
				if href := attr(a, "href"); strings.HasPrefix(href, "/handset?") {
					see(guest, href)
					conversation := guest.screen(guest.get(href))
					for _, f := range find(conversation.root, tag("form")) {
						if action := attr(f, "action"); strings.HasSuffix(action, "/sendings") {
							if a := guest.post(action); a.Status != http.StatusSeeOther {
								t.Errorf("send now: %d", a.Status)
							}
						}
					}
					see(guest, href)
				}
			}
			see(vera, visit)
		})
	}
}

// A way back leads nowhere but into this program.
func TestOpenRedirects(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir())
	c := inspect(p.client())
	for back, want := range map[string]string{
		"/promo-check": "/promo-check", "/visits?day=2026-01-01&store=1": "/visits?day=2026-01-01&store=1", "": "/",
		"//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "///evil.example": "/",
		"https:evil.example": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "/\n/evil.example": "/", "\t//evil.example": "/",
		" //evil.example": "/", "/%2f/evil.example": "/", "/%2f%2fevil.example": "/", "/%5cevil.example": "/", "evil.example": "/", "//evil.example@localhost/": "/",
		"?x=1": "/", "http:///evil.example": "/", "/a\r\nSet-Cookie: x=1": "/", "/%0d%0aSet-Cookie: x=1": "/",
	} {
		for how, a := range map[string]answer{
			"form": c.post("/language", "language", "ru", "back", back), "htmx": c.part("/language", "language", "ru", "back", back),
		} {
			got := a.Location + a.Header.Get("HX-Redirect")
			if got != want && !harmless(p.URL, got) {
				t.Errorf("back=%q by %s leads to %q", back, how, got)
			}
			if len(a.Header.Values("Set-Cookie")) != 1 {
				t.Errorf("back=%q sets %q", back, a.Header.Values("Set-Cookie"))
			}
		}
	}
	// The language is one of two, whatever is asked for; the cookie as well.
	a := c.post("/language", "language", `xx"><script>`, "back", "/sign-in")
	if cookie := a.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "prilavok_language=ru;") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Errorf("Set-Cookie: %s", cookie)
	}
	a = c.do(http.MethodGet, "/sign-in", http.Header{"Cookie": {`prilavok_language=../../etc`}}, "")
	if a.Status != http.StatusOK || !strings.Contains(a.Body, `<html lang="ru"`) {
		t.Errorf("a made-up language: %d", a.Status)
	}

	vera := inspect(p.as("vera"))
	for _, back := range []string{"//evil.example", "https://evil.example/visits", `/\evil.example`, "/counter", "/visits//evil.example", "/visits/../counter"} {
		s := vera.screen(vera.get("/visits/1?back=" + url.QueryEscape(back)))
		link := find(s.root, withAttr("class", "back-link"))
		if len(link) != 1 || attr(link[0], "href") != "/visits" {
			t.Errorf("back=%q: the link leads to %q", back, attr(link[0], "href"))
		}
	}
	// A page of ours that answers a POST does not take its way back from
	// another site.
	s := c.screen(c.do(http.MethodPost, "/sign-in", http.Header{"Referer": {"https://evil.example/x"}}, "login="))
	if got := s.form("/language").Get("back"); got != "/" {
		t.Errorf("the language switch comes back to %q", got)
	}
}

// harmless tells whether a browser that is sent to an address stays here.
func harmless(base, location string) bool {
	from, err := url.Parse(base)
	if err != nil {
		return false
	}
	to, err := from.Parse(location)
	return err == nil && to.Host == from.Host && !strings.ContainsAny(location, "\\\r\n\t") && strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//")
}

// What is not a page has the headers too: files, errors and what is too large.
func TestHeaders(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir())
	c := inspect(p.client())
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/": 303, "/nothing": 404, static.URL("css/app.css"): 200, static.URL("js/htmx.min.js"): 200,
		static.URL("js/app.js"): 200, static.URL("img/favicon.svg"): 200, "/static/css/app.css": 404, "/favicon.ico": 404,
	} {
		if a := c.get(path); a.Status != want {
			t.Errorf("GET %s: %d, want %d", path, a.Status, want)
		}
	}
	a := c.post("/sign-in", "login", strings.Repeat("x", 70_000), "password", "x")
	if a.Status != http.StatusRequestEntityTooLarge || strings.Contains(a.Body, "xxxx") {
		t.Errorf("too large a form: %d", a.Status)
	}
	for _, broken := range []string{"%zz=1", "login=%", "a;b=c"} {
		if a := c.do(http.MethodPost, "/sign-in", nil, broken); a.Status >= 500 {
			t.Errorf("a broken form %q: %d", broken, a.Status)
		}
	}
	if a := p.client().do(http.MethodPost, "/sign-in", http.Header{"Accept-Encoding": {"gzip"}}, "login="); a.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("Content-Encoding is %q", a.Header.Get("Content-Encoding"))
	}
	// The handset polls: nothing new is nothing sent.
	poll := attr(c.screen(c.get("/handset")).byID("handset"), "hx-get")
	if a := c.do(http.MethodGet, poll, asPart, ""); a.Status != http.StatusNoContent || a.Body != "" {
		t.Errorf("nothing new on the handset: %d", a.Status)
	}
}

// Whoever is signed in keeps their frame, and with it the way back, on pages
// that ask nobody who they are.
func TestFrameOnOpenPages(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir())
	anna, nobody := p.as("anna"), p.client()
	for _, path := range []string{"/no-such-page", "/handset"} {
		if body := anna.get(path).Body; !strings.Contains(body, "Анна Котова") || !strings.Contains(body, `href="/counter"`) {
			t.Errorf("%s: the frame of the person is missing", path)
		}
		if body := nobody.get(path).Body; strings.Contains(body, "Анна Котова") {
			t.Errorf("%s: somebody's name is shown to nobody", path)
		}
	}
}
