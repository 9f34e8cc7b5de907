package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"prilavok/domain"
)

// Whoever has to sign in goes on with the page they asked for, or with the page
// whose form they have sent.
func TestWhereSignInLeadsBackTo(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir())
	c := inspect(p.client())
	long := "/visits?day=" + strings.Repeat("1", 1000)
	form := func(from string) http.Header {
		return http.Header{"Referer": {from}, "Content-Type": {"application/x-www-form-urlencoded"}}
	}
	part := func(from string) http.Header {
		return http.Header{"Referer": {from}, "HX-Request": {"true"}, "HX-Request-Type": {"partial"}}
	}
	for _, row := range []struct {
		method, path string
		header       http.Header
		back         string
	}{
		{http.MethodGet, "/", nil, ""},
		{http.MethodGet, "/visits/7/contact", nil, "/visits/7/contact"},
		{http.MethodHead, "/visits/7/contact", nil, "/visits/7/contact"},
		{http.MethodGet, "/visits?store=1&day=2026-07-15", nil, "/visits?store=1&day=2026-07-15"},
		{http.MethodGet, long, nil, ""},
		{http.MethodPost, "/visits/7/contact", form(p.URL + "/visits/7/contact"), "/visits/7/contact"},
		{http.MethodPost, "/visits/7/code/checks", form(p.URL + "/visits/7/code?late=1"), "/visits/7/code?late=1"},
		{http.MethodPost, "/visits/7/contact", form("https://evil.example/visits/7/contact"), ""},
		{http.MethodPost, "/visits/7/contact", nil, ""},
		// A file leads to the page with its link.
		{http.MethodGet, "/promo-codes.csv?state=live", form(p.URL + "/promo-codes?state=live"), "/promo-codes?state=live"},
		{http.MethodGet, "/promo-codes.csv", nil, ""},
		// What refreshes itself on a page leads to the page.
		{http.MethodGet, "/visits/7/code/status", part(p.URL + "/visits/7/code"), "/visits/7/code"},
		{http.MethodPost, "/visits/7/contact", part(p.URL + "/visits/7/contact"), "/visits/7/contact"},
		// A link that htmx follows is asked for like any other.
		{http.MethodGet, "/visits/7/promo", http.Header{"Referer": {p.URL + "/visits/7/contact"}, "HX-Request": {"true"}, "HX-Request-Type": {"full"}}, "/visits/7/promo"},
	} {
		a := c.do(row.method, row.path, row.header, "")
		want := "/sign-in"
		if row.back != "" {
			want += "?" + url.Values{"back": {row.back}}.Encode()
		}
		if got := a.Location + a.Header.Get("HX-Redirect"); got != want {
			t.Errorf("%s %.60s from %q leads to %q, want %q", row.method, row.path, row.header.Get("Referer"), got, want)
		}
	}
}

// Behind a proxy that puts its own name into Host, or the port too, the page is
// known by the public address.
func TestWhereSignInLeadsBackToBehindAProxy(t *testing.T) {
	t.Parallel()
	addr := "127.0.0.1:" + freePorts(t, 1)[0]
	p := start(t, "DATA_DIR="+t.TempDir(), "PUBLIC_URL=https://Shop.Example:443/", "ADDR="+addr)
	for from, back := range map[string]string{
		"https://shop.example/visits/7/contact":      "/visits/7/contact",
		"https://shop.example:8443/visits/7/contact": "",
		"http://shop.example/visits/7/contact":       "",
		"https://evil.example/visits/7/contact":      "",
		"/visits/7/contact":                          "",
	} {
		c := p.client()
		c.base = "http://" + addr
		want := "/sign-in"
		if back != "" {
			want += "?" + url.Values{"back": {back}}.Encode()
		}
		a := c.do(http.MethodPost, "/visits/7/contact", http.Header{"Referer": {from}, "Origin": {"https://shop.example"}}, "")
		if a.Location != want {
			t.Errorf("a form of %s leads to %q, want %q", from, a.Location, want)
		}
	}
}

func TestSignInLeadsBack(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		signIn := func(login, back string) (*client, string) {
			t.Helper()
			c := inspect(p.client())
			s := c.screen(c.get("/sign-in?" + url.Values{"back": {back}}.Encode()))
			a := c.post("/sign-in", "login", login, "password", demoPassword, "back", s.form("/sign-in").Get("back"))
			return c, a.Location
		}
		c := inspect(p.as("anna"))
		visit := c.walk(p, customer{}, domain.StepContact) + "/contact"

		anna, to := signIn("anna", visit)
		if to != visit {
			t.Errorf("signing in leads to %q, want %q", to, visit)
		}
		if a := anna.get(visit); a.Status != http.StatusOK {
			t.Errorf("%s after signing in: %d", visit, a.Status)
		}

		// A wrong password forgets nothing.
		c = inspect(p.client())
		s := c.screen(c.post("/sign-in", "login", "anna", "password", "wrong", "back", visit))
		if got := s.form("/sign-in").Get("back"); got != visit {
			t.Errorf("after a wrong password the form leads to %q", got)
		}

		// Somebody else is led to their own first screen, and is told nothing of the page.
		for login, home := range map[string]string{"timur": "/counter", "vera": "/visits"} {
			c, to := signIn(login, visit)
			c.goesTo(c.get(to), "/")
			c.goesTo(c.get("/"), home)
			// It is over with that: the next time the page is what it is.
			if a := c.get(visit); a.Status != http.StatusNotFound && a.Status != http.StatusForbidden {
				t.Errorf("%s at %s: %d", login, visit, a.Status)
			}
		}

		// Another page than that where signing in leads to ends it too.
		c, _ = signIn("timur", visit)
		c.get("/counter")
		if a := c.get(visit); a.Status != http.StatusNotFound {
			t.Errorf("a foreign visit, some pages after signing in: %d → %q", a.Status, a.Location)
		}

		// Whoever works in several stores chooses one first.
		c = p.at("olga", ural)
		visit = c.walk(p, customer{}, domain.StepContact) + "/contact"
		for _, way := range []struct{ store, leads string }{{ural, ""}, {moscow, "/"}} {
			olga, to := signIn("olga", visit)
			olga.goesTo(olga.get(to), "/store")
			a := olga.post("/store", "store", storeID(t, olga, way.store))
			olga.goesTo(a, visit)
			if a := olga.get(visit); a.Location != way.leads {
				t.Errorf("in %s: %d → %q, want %q", way.store, a.Status, a.Location, way.leads)
			}
			// The next choice of a store leads to the counter.
			olga.goesTo(olga.post("/store", "store", storeID(t, olga, ural)), "/counter")
		}

		// Where the choice itself was to be gone on with, it is made once.
		olga, to := signIn("olga", "/store")
		olga.goesTo(olga.post(to, "store", storeID(t, olga, ural)), "/counter")

		for _, elsewhere := range []string{
			"https://evil.example/", "//evil.example/", `/\evil.example`, `\\evil.example`, "/\tevil", "///evil.example",
			"javascript:alert(1)", "evil.example", "", "?", "/%zz", "/" + strings.Repeat("x", 2000),
		} {
			if _, to := signIn("anna", elsewhere); to != "/" {
				t.Errorf("back=%.40q leads to %q", elsewhere, to)
			}
		}
	})
}

// storeID is the choice with that name in the form.
func storeID(t *testing.T, c *client, name string) string {
	t.Helper()
	for _, o := range find(c.screen(c.get("/store")).root, tag("option")) {
		if strings.HasPrefix(textOf(o), name) {
			return attr(o, "value")
		}
	}
	t.Fatalf("no store %q to choose", name)
	return ""
}

// ended lets the server forget who has signed in; the page does not notice.
func (w *window) ended() {
	w.t.Helper()
	must(w, network.ClearBrowserCookies, cdp.Empty{})
}

// again signs in on the page to which the program has led.
func (w *window) again(login string) {
	w.t.Helper()
	w.at(atSignIn)
	w.see("Войдите, чтобы продолжить с того же места.")
	w.fill("Логин", login)
	w.fill("Пароль", demoPassword)
	w.press("Войти")
}

// drafts counts what the tab keeps of what was typed.
func (w *window) drafts(want int) {
	w.t.Helper()
	w.until("count the drafts", func() error {
		got, err := eval[[]string](w, `Object.keys(sessionStorage)`)
		if err == nil && len(got) != want {
			err = fmt.Errorf("the tab keeps %q, want %d drafts", got, want)
		}
		return err
	})
}

func (w *window) contact(want ...string) {
	w.t.Helper()
	w.at(atContact)
	for i, field := range []string{"Телефон", "Имя"} {
		if got := w.value(field); got != want[i] {
			w.t.Errorf("%s holds %q, want %q", field, got, want[i])
		}
	}
}

// sessionEnds: what was typed survives the end of the session, however the form
// is sent, and comes back at its step.
func sessionEnds(t *testing.T, p *program) {
	const phone, name = "+7 916 700-00-21", "Инна"
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.serve()
	w.fill("Телефон", phone)
	w.fill("Имя", name)
	w.ended()
	w.press("Продолжить")
	w.again("timur")
	w.contact(phone, name)

	// Without htmx the same form is posted by the browser itself, after a fault too.
	w.fill("Имя", "")
	w.press("Продолжить")
	w.see("Введите имя")
	w.fill("Имя", name+" Львовна")
	w.ended()
	if _, err := eval[bool](w, `document.querySelector("#visit-contact form").submit(), true`); err != nil {
		t.Fatal(err)
	}
	w.again("timur")
	w.contact(phone, name+" Львовна")
	w.press("Продолжить")
	w.at(atSend)
	w.drafts(0)

	// Going back changes what is saved, and what is saved is newer than a draft.
	w.press("Изменить номер")
	w.contact(phone, name+" Львовна")
	w.fill("Имя", "Инна Третья")
	w.ended()
	w.press("Продолжить")
	w.again("timur")
	w.contact(phone, "Инна Третья")
	other := w.tab()
	other.open(w.path())
	other.fill("Имя", "Инна Четвёртая")
	other.press("Продолжить")
	other.at(atSend)
	w.do(chromedp.Reload())
	w.contact(phone, "Инна Четвёртая")
	w.drafts(0)
}

func sessionEndsWithoutScripts(t *testing.T, p *program) {
	w := newWindow(t, p.URL).withoutScripts()
	w.enter("timur")
	w.serve()
	w.fill("Телефон", "+7 916 700-00-22")
	w.ended()
	w.press("Продолжить")
	w.again("timur")
	w.contact("", "")
}

// draftsAreOnesOwn: a draft comes back to its login alone, and ends with the
// next login, with its visit, at sign-out and after two hours.
func draftsAreOnesOwn(t *testing.T, p *program) {
	const phone, name = "+7 916 700-00-23", "Нора"
	w := newWindow(t, p.URL)
	w.enter("timur")
	begin := func() (path string) {
		t.Helper()
		w.serve()
		w.fill("Телефон", phone)
		w.fill("Имя", name)
		w.drafts(1)
		return w.path()
	}
	first := begin()
	w.ended()
	w.press("Продолжить")
	w.again("anna")
	w.at(atCounter)
	w.drafts(0)
	w.ended()
	w.open(first)
	w.again("timur")
	w.contact("", "")

	// In another tab somebody else signs in.
	w.open("/counter")
	begin()
	other := w.tab()
	other.ended()
	other.enter("anna")
	w.drafts(0)

	// In another tab the visit ends.
	other.ended()
	other.enter("timur")
	w.open("/counter")
	visit := strings.TrimSuffix(begin(), "contact")
	other.open(visit + "age")
	other.choose("Отказ")
	other.press("Продолжить")
	other.at("Продать нельзя")
	w.drafts(0)

	// Signing out leaves nothing.
	w.open("/counter")
	begin()
	other.open("/counter")
	other.press("Выйти")
	other.at(atSignIn)
	w.drafts(0)

	// After two hours it is too old, even where nobody has touched the tablet.
	w.enter("timur")
	begin()
	must(w, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `{ const now = Date.now; Date.now = () => now() + 2 * 3600 * 1000 + 1000; }`,
	})
	w.do(chromedp.Reload())
	w.contact("", "")
	w.drafts(0)
}

// formsThatHaveNotArrived: what was typed stays until its form has arrived,
// wherever somebody goes meanwhile.
func formsThatHaveNotArrived(t *testing.T, p *program) {
	const phone, name = "+7 916 700-00-24", "Рита"
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.serve()
	step := w.path()
	elsewhere := func() {
		t.Helper()
		w.open("/counter")
		w.at(atCounter)
		w.open(step)
	}

	// It came back with its fault.
	w.fill("Телефон", phone)
	w.press("Продолжить")
	w.see("Введите имя")
	elsewhere()
	w.contact(phone, "")

	// It was lost on its way.
	w.fill("Имя", name)
	w.connected(false, 0)
	w.press("Продолжить")
	w.see("Повторить")
	w.connected(true, 0)
	elsewhere()
	w.contact(phone, name)

	// A proxy has refused it, in whatever words: they take no form's place.
	w.fill("Имя", name+" Петровна")
	for _, status := range []int{400, 401, 403, 413, 429, 502} {
		if _, err := eval[bool](w, fmt.Sprintf(`(() => {
			const real = window.fetch;
			window.fetch = async () => { window.fetch = real; return new Response("<h1>nginx</h1>", { status: %d, headers: { "Content-Type": "text/html" } }); };
			document.getElementById("connection").hidden = true;
			return true;
		})()`, status)); err != nil {
			t.Fatal(err)
		}
		w.press("Продолжить")
		w.see("Повторить")
		w.contact(phone, name+" Петровна")
	}
	elsewhere()
	w.contact(phone, name+" Петровна")

	// Somebody would not wait for its answer, and it has not even left.
	w.fill("Имя", name+" Львовна")
	if _, err := eval[bool](w, `window.fetch = () => new Promise(() => {}), true`); err != nil {
		t.Fatal(err)
	}
	w.press("Продолжить")
	w.see("Продолжить")
	elsewhere()
	w.contact(phone, name+" Львовна")

	w.press("Продолжить")
	w.at(atSend)
	w.drafts(0)
}

// formsBeforeTheStore: a form that met the choice of a store has not arrived.
func formsBeforeTheStore(t *testing.T, p *program) {
	const phone, name = "+7 916 700-00-25", "Лада"
	w := newWindow(t, p.URL)
	choose := func(w *window) {
		t.Helper()
		w.at(atStore)
		w.fill("Магазин", ural)
		w.press("Продолжить")
	}
	w.open("/sign-in")
	w.fill("Логин", "olga")
	w.fill("Пароль", demoPassword)
	w.press("Войти")
	choose(w)
	w.at(atCounter)
	w.serve()
	w.fill("Телефон", phone)
	w.fill("Имя", name)
	other := w.tab()
	other.open("/counter")
	other.serve()
	other.fill("Имя", name+" Вторая")
	step := other.path()
	w.ended()
	w.press("Продолжить")
	w.again("olga")
	w.at(atStore)
	other.press("Продолжить")
	other.at(atStore)
	choose(w)
	w.contact(phone, name)
	other.open(step)
	other.contact("", name+" Вторая")
}

// filesAfterTheEnd: whoever asks for a file after their session has ended signs
// in, and goes on where its link stands.
func filesAfterTheEnd(t *testing.T, p *program) {
	w := newWindow(t, p.URL)
	w.toOffice("vera")
	w.open("/promo-codes?kind=referral")
	w.at("Промокоды")
	w.ended()
	w.press("Скачать CSV")
	w.again("vera")
	w.at("Промокоды")
	if got, err := eval[string](w, "location.pathname + location.search"); err != nil || got != "/promo-codes?kind=referral" {
		t.Errorf("signing in leads to %q (%v)", got, err)
	}
}
