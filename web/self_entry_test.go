package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"prilavok/domain"
)

// Headings of the customer's own page, and of the screens that lead there.
const (
	atSelf         = "Подтвердите номер"
	atSelfVerified = "Номер подтверждён"
	atSelfGone     = "Эта страница больше не действует"
	atBySelf       = "Код вводит покупатель"
	atDeferred     = "Покупатель подтвердит номер позже"
)

var selfPage = regexp.MustCompile(`/c/[\w-]{22}`)

// customersPage is the address under the QR on an advisor's screen.
func (w *window) customersPage() (path string) {
	w.t.Helper()
	w.until("find the address under the QR", func() error {
		text, err := w.text()
		if path = selfPage.FindString(text); err == nil && path == "" {
			err = errors.New("no address")
		}
		return err
	})
	// The picture is there, too, and not just its frame.
	w.until("see the QR", func() error {
		if seen, err := eval[bool](w, `document.querySelector(".qr img")?.naturalWidth > 200`); err != nil || !seen {
			return errors.Join(err, errors.New("no picture"))
		}
		return nil
	})
	return path
}

// onPhone opens a customer's page in a window of its own, as another phone
// would, where somebody may have switched the scripts off.
func onPhone(t *testing.T, p *program, path string) *window {
	t.Helper()
	w := newWindow(t, p.URL).withoutScripts()
	w.do(chromedp.EmulateViewport(390, 844))
	w.open(path)
	return w
}

// unfold opens what is folded away.
func (w *window) unfold(summary string) {
	w.t.Helper()
	_, x, y := w.point(summary, []string{"DisclosureTriangle", "button", "generic"})
	w.do(chromedp.MouseClickXY(x, y))
}

func selfEntry(t *testing.T, p *program) {
	const phone = "+7 916 700-00-21"
	w := newWindow(t, p.URL)
	w.enter("anna")
	w.serveUntilCode(phone, "Алла")
	w.press("Выслать код")
	w.at(atCode)
	w.unfold("Ввести на телефоне покупателя")
	page := w.customersPage()
	// Half of a code stands in the advisor's field meanwhile.
	w.fill("Код из SMS", "12")

	c := onPhone(t, p, page)
	c.at(atSelf)
	c.see("+7 916 •••-••-21", moscow)
	code := w.codes(phone, 1)[0]
	// More than a code is none, and no try; it is not cut down to one.
	c.paste("Код из SMS", code+"5")
	c.press("Подтвердить")
	c.see("В коде 4 цифры")
	c.fill("Код из SMS", wrong(code, 1))
	c.press("Подтвердить")
	c.see("Код не подошёл. Осталось 2 попытки")
	// The advisor's screen has asked for news more than once and taken nothing.
	w.until("ask twice", func() error {
		n, err := eval[int](w, `performance.getEntriesByType("resource").filter(e => e.name.includes("/code/status")).length`)
		if err == nil && n < 2 {
			err = fmt.Errorf("asked %d times", n)
		}
		return err
	})
	if got := w.value("Код из SMS"); got != "12" {
		t.Errorf("the advisor's field holds %q", got)
	}
	w.focused("input[name=code]")

	c.paste("Код из SMS", "\u2066 "+code[:2]+"-"+code[2:]+"\u2069")
	c.press("Подтвердить")
	c.at(atSelfVerified)
	c.see("Покажите этот экран консультанту.")
	// Nobody touches the tablet.
	w.at(atVerified)
	w.focused("h1")
	w.press("Продолжить")
	w.at(atPromo)
}

func selfEntryWithoutScripts(t *testing.T, p *program) {
	const phone = "+7 916 700-00-22"
	w := newWindow(t, p.URL).withoutScripts()
	w.enter("anna")
	w.serveUntilCode(phone, "Ия")
	w.press("Выслать код")
	w.at(atCode)
	w.unfold("Ввести на телефоне покупателя")
	c := onPhone(t, p, w.customersPage())
	c.at(atSelf)
	c.fill("Код из SMS", w.codes(phone, 1)[0])
	c.press("Подтвердить")
	c.at(atSelfVerified)
	w.do(chromedp.Reload())
	w.at(atVerified)
}

// compulsory switches a store's setting as an administrator does; done puts
// it back.
func compulsory(t *testing.T, p *program) (done func()) {
	t.Helper()
	admin := newWindow(t, p.URL)
	admin.open("/sign-in")
	admin.at(atSignIn)
	admin.fill("Логин", "admin")
	admin.fill("Пароль", demoPassword)
	admin.press("Войти")
	admin.at("Визиты")
	admin.press("Магазины")
	admin.at("Магазины")
	admin.press("Только покупатель, " + moscow)
	admin.see("Код вводит только покупатель")
	return func() {
		admin.press("Разрешить и адвизору, " + moscow)
		admin.gone("Код вводит только покупатель")
	}
}

func compulsorySelfEntry(t *testing.T, p *program) {
	const phone = "+7 916 700-00-23"
	done := compulsory(t, p)
	defer done()
	w := newWindow(t, p.URL)
	w.enter("anna")
	w.serveUntilCode(phone, "Эмма")
	w.see("Покупатель введёт код сам")
	w.press("Выслать код")
	w.at(atBySelf)
	if fields, err := eval[int](w, `document.querySelectorAll("input[name=code]").length`); err != nil || fields != 0 {
		t.Errorf("%d fields for the code (%v)", fields, err)
	}
	c := onPhone(t, p, w.customersPage())
	c.at(atSelf)
	c.fill("Код из SMS", w.codes(phone, 1)[0])
	c.press("Подтвердить")
	c.at(atSelfVerified)
	w.at(atVerified)
}

func verifiedLater(t *testing.T, p *program) {
	const phone = "+7 916 700-00-24"
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.serveUntilCode(phone, "Ян")
	w.press("Выслать код")
	w.at(atCode)
	for n := range 2 {
		w.press("Выслать ещё раз")
		w.codes(phone, n+2)
		w.at(atCode)
	}
	w.see("SMS всё ещё нет?")
	w.press("Подтвердит позже")
	w.at(atDeferred)
	page := w.customersPage()
	w.press("Продолжить")
	w.at(atPromo)
	w.see("Телефон не подтверждён")
	w.press("Продолжить")
	w.at(atOutcome)
	w.choose("Покупка")
	w.fill("Товар", "Аура Старт")
	w.press("Завершить визит")
	w.at("Покупка")
	w.see("Телефон ещё не подтверждён", "Покупатель может подтвердить номер сам до")
	if again := w.customersPage(); again != page {
		t.Errorf("the summary shows %s, the step showed %s", again, page)
	}

	c := onPhone(t, p, page)
	c.at(atSelf)
	c.fill("Код из SMS", w.codes(phone, 3)[0])
	c.press("Подтвердить")
	c.at(atSelfVerified)
	c.see("Больше ничего делать не нужно")
	w.do(chromedp.Reload())
	w.at("Покупка")
	w.see("SMS с промокодом для друзей")
	w.gone("Покупатель может подтвердить номер сам")
}

// walkSelf shows the customer's own page and what leads there.
func walkSelf(t *testing.T, w *window, show look) {
	const phone = "+7 916 800-00-31"
	w.enter("anna")
	w.serveUntilCode(phone, "Варвара")
	w.press("Выслать код")
	w.at(atCode)
	w.unfold("Ввести на телефоне покупателя")
	page := w.customersPage()
	show("code-qr", w)
	c := newWindow(t, w.base)
	c.open(page)
	c.at(atSelf)
	show("self", c)
	code := w.codes(phone, 1)[0]
	c.fill("Код из SMS", wrong(code, 1))
	c.press("Подтвердить")
	c.see("Осталось 2 попытки")
	show("self-wrong", c)
	c.fill("Код из SMS", code)
	c.press("Подтвердить")
	c.at(atSelfVerified)
	show("self-verified", c)
	c.open("/c/" + domain.RandomToken(16))
	c.at(atSelfGone)
	show("self-gone", c)
}

// walkLater shows the ways on when no SMS comes, and a store where only the
// customer types.
func walkLater(t *testing.T, p *program, show look) {
	const phone = "+7 916 800-00-32"
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.serveUntilCode(phone, "Глеб")
	w.press("Выслать код")
	w.at(atCode)
	for n := range 2 {
		w.press("Выслать ещё раз")
		w.codes(phone, n+2)
		w.at(atCode)
	}
	w.see("SMS всё ещё нет?")
	show("code-unanswered", w)
	w.press("Подтвердит позже")
	w.at(atDeferred)
	page := w.customersPage()
	show("code-deferred", w)
	w.press("Продолжить")
	w.at(atPromo)
	w.press("Продолжить")
	w.at(atOutcome)
	w.choose("Тест")
	w.press("Завершить визит")
	w.at("Тест")
	w.customersPage()
	show("summary-deferred", w)
	c := newWindow(t, p.URL)
	c.open(page)
	c.at(atSelf)
	c.fill("Код из SMS", w.codes(phone, 3)[0])
	c.press("Подтвердить")
	c.at(atSelfVerified)
	show("self-verified-later", c)

	admin := newWindow(t, p.URL)
	admin.open("/sign-in")
	admin.fill("Логин", "admin")
	admin.fill("Пароль", demoPassword)
	admin.press("Войти")
	admin.at("Визиты")
	admin.open("/visits?outcome=trial")
	admin.open(admin.link("a.visit-link"))
	admin.see("код ввёл покупатель")
	show("visit-self", admin)
	admin.press("Магазины")
	admin.at("Магазины")
	admin.press("Только покупатель, " + moscow)
	admin.see("Код вводит только покупатель")
	show("stores", admin)
	b := newWindow(t, p.URL)
	b.enter("anna")
	b.serveUntilCode("+7 916 800-00-33", "Ева")
	show("code-send-self", b)
	b.press("Выслать код")
	b.at(atBySelf)
	b.customersPage()
	show("code-by-self", b)
}

// The customer's page over HTTP, past what a browser would send.
func TestSelfEntry(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "CODE_RESEND_AFTER=1s")...)
		db := openData(t, env)
		c, customer := inspect(p.as("anna")), inspect(p.client())
		const phone = "+79165200001"
		visit := c.walkTo(p, phone)
		path := "/c/" + db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(visit))

		t.Run("the SMS is bound to our host", func(t *testing.T) {
			if text, code := p.texts(phone)[0], p.codes(phone)[0]; !strings.HasSuffix(text, " @127.0.0.1 #"+code) {
				t.Errorf("the SMS ends otherwise: %q", text)
			}
		})
		t.Run("the QR", func(t *testing.T) {
			a := c.get(visit + "/code/qr")
			picture, err := png.Decode(bytes.NewReader([]byte(a.Body)))
			if err != nil || a.Header.Get("Content-Type") != "image/png" || a.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%d, %s, %s: %v", a.Status, a.Header.Get("Content-Type"), a.Header.Get("Cache-Control"), err)
			}
			if size := picture.Bounds().Dx(); size < 200 {
				t.Errorf("%d pixels wide", size)
			}
			if text := c.screen(c.get(visit + "/code")).text(); !strings.Contains(text, strings.TrimPrefix(p.URL, "http://")+path) {
				t.Errorf("no address under it: %s", text)
			}
		})
		t.Run("the page tells nothing but what it must", func(t *testing.T) {
			a := customer.get(path)
			if s := customer.screen(a); strings.Contains(s.text(), "Анна") || strings.Contains(s.text(), "Пётр") || strings.Contains(digits(s.text()), digits(phone)[1:8]) {
				t.Errorf("somebody's name or phone: %s", s.text())
			}
			if len(find(customer.screen(a).root, tag("script", "nav"))) > 0 || !strings.Contains(a.Body, `autocomplete="one-time-code"`) {
				t.Errorf("not small: %s", a.Body)
			}
			if a.Header.Get("Set-Cookie") != "" {
				t.Errorf("sets %q", a.Header.Get("Set-Cookie"))
			}
		})
		t.Run("the advisor's screen hears of it", func(t *testing.T) {
			watch := attr(c.screen(c.get(visit+"/code")).byID("code-watch"), "hx-get")
			if a := c.do(http.MethodGet, watch, asPart, ""); a.Status != http.StatusNoContent || a.Body != "" {
				t.Errorf("no news: %d\n%s", a.Status, a.Body)
			}
			over := watch[:strings.Index(watch, "=")+1] + "1"
			a := c.do(http.MethodGet, over, asPart, "")
			if a.Status != http.StatusOK || a.Header.Get("HX-Retarget") != "#code-watch" || strings.Contains(a.Body, "hx-get") {
				t.Errorf("a screen of yesterday: %d, %s\n%s", a.Status, a.Header.Get("HX-Retarget"), a.Body)
			}
			code := p.codes(phone)[0]
			for _, bad := range []badInput{
				{pairs: []string{"code", ""}, faults: []string{"code"}},
				{pairs: []string{"code", "12"}, faults: []string{"code"}, kept: map[string]string{"code": "12"}},
				{pairs: []string{"code", wrong(code, 1)}, faults: []string{"code"}, kept: map[string]string{"code": wrong(code, 1)}},
			} {
				bad.holds(t, customer, customer.send(path, path+"/checks", bad.pairs...), fmt.Sprint(bad.pairs))
			}
			if a := customer.do(http.MethodPost, path+"/checks", http.Header{"Sec-Fetch-Site": {"cross-site"}}, "request_id=x&code="+code); a.Status != http.StatusForbidden {
				t.Errorf("from another site: %d", a.Status)
			}
			customer.goesTo(customer.send(path, path+"/checks", "code", code), path)
			if text := customer.screen(customer.get(path)).text(); !strings.Contains(text, atSelfVerified) {
				t.Errorf("the customer's page: %s", text)
			}
			a = c.do(http.MethodGet, watch, asPart, "")
			if a.Status != http.StatusOK || !strings.Contains(a.Body, `id="code-next"`) || strings.Contains(a.Body, "hx-trigger") {
				t.Errorf("news: %d\n%s", a.Status, a.Body)
			}
			vera := inspect(p.as("vera"))
			if text := vera.screen(vera.get(visit)).text(); !strings.Contains(text, "код ввёл покупатель") {
				t.Errorf("the history: %s", text)
			}
		})
		t.Run("another code at the customer's wish", func(t *testing.T) {
			visit := c.walkTo(p, "+79165200002")
			path := "/c/" + db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(visit))
			a := customer.send(path, path+"/sends")
			for a.Status == http.StatusTooManyRequests {
				<-time.After(time.Second)
				a = customer.send(path, path+"/sends")
			}
			customer.goesTo(a, path)
			if codes := p.codes("+79165200002"); len(codes) != 2 || codes[0] != codes[1] {
				t.Errorf("codes %q", codes)
			}
			got := db.rows(`SELECT entry, verdict FROM code_attempts WHERE visit_id = $1 AND verdict = 'send' ORDER BY id`, idOf(visit))
			if len(got) != 2 || got[1] != "self | send" {
				t.Errorf("on record: %q", got)
			}
		})
		t.Run("the page speaks as the visit did", func(t *testing.T) {
			c.goesTo(c.post("/language", "language", "en", "back", "/"), "/")
			visit := c.walkTo(p, "+79165200003")
			c.goesTo(c.post("/language", "language", "ru", "back", "/"), "/")
			path := "/c/" + db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(visit))
			if a := inspect(p.client()).get(path); !strings.Contains(a.Body, `<html lang="en"`) {
				t.Errorf("not in English:\n%s", a.Body)
			}
			own := inspect(p.client())
			own.goesTo(own.send(path, "/language", "language", "ru"), path)
			if a := own.get(path); !strings.Contains(a.Body, `<html lang="ru"`) {
				t.Error("the switch does nothing")
			}
		})
	})
}

// customersPage is the path of the page whose address an advisor sees.
func (c *client) customersPage(visit string) string {
	c.t.Helper()
	return selfPage.FindString(c.screen(c.get(visit + "/code")).text())
}

// walkTo brings a visit to the code step and sends a code.
func (c *client) walkTo(p *program, phone string) string {
	c.t.Helper()
	visit := c.walk(p, customer{phone: phone}, domain.StepCode)
	c.sendCode(visit)
	return visit
}

var wayBack = regexp.MustCompile(`name="back" value="[^"]*"`)

// Whoever tries addresses gets the same page for one that never was, one whose
// visit has ended and one whose phone was changed, letter by letter.
func TestPhoneCode_16_NobodysPage(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		token := func(visit string) string { return db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(visit)) }
		ended := c.walkTo(p, "+79165300001")
		c.goesTo(c.send(ended+"/code", ended+"/code/skips"), ended+"/promo")
		c.goesTo(c.post(ended+"/promo", "go", "on"), ended+"/outcome")
		c.goesTo(c.purchase(ended), ended+"/summary")
		late := c.walkTo(p, "+79165300002")
		c.goesTo(c.post(late+"/code/deferrals", "request_id", "x"), late+"/code")
		c.goesTo(c.post(late+"/promo", "go", "on"), late+"/outcome")
		c.goesTo(c.purchase(late), late+"/summary")
		lateToken := token(late)
		customer := inspect(p.client())
		if a := customer.get("/c/" + lateToken); a.Status != http.StatusOK {
			t.Errorf("in time: %d", a.Status)
		}
		db.exec(`UPDATE visits SET ended_at = $1 WHERE id = $2`, time.Now().UTC().Add(-169*time.Hour), idOf(late))
		changed := c.walkTo(p, "+79165300003")
		changedToken := token(changed)
		c.goesTo(c.send(changed+"/contact", changed+"/contact", "phone", "+79165300004"), changed+"/code")

		before := db.dump(false)
		want := ""
		for _, try := range []string{domain.RandomToken(16), token(ended), lateToken, changedToken, "x", strings.Repeat("A", 3000), "%00", "%ff%fe", "..%2fvisits"} {
			for i, a := range []answer{
				customer.get("/c/" + try),
				customer.post("/c/"+try+"/checks", "request_id", "r", "code", "1234"),
				customer.post("/c/"+try+"/sends", "request_id", "r"),
			} {
				// Only the way back of the language switch repeats the address.
				got := wayBack.ReplaceAllString(a.Body, "")
				want = cmp.Or(want, got)
				if a.Status != http.StatusNotFound || got != want {
					t.Errorf("%.30s, %d: %d\n%s", try, i, a.Status, difference(want, got))
				}
				for name := range a.Header {
					if name == "Set-Cookie" || name == "Retry-After" || name == "Location" {
						t.Errorf("%.30s: %s %q", try, name, a.Header.Get(name))
					}
				}
			}
		}
		if after := db.dump(false); after != before {
			t.Errorf("it left a trace:\n%s", difference(before, after))
		}
	})
}

// An administrator's switch, and an advisor who tries to get round it.
func TestSelfEntryCompulsory(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		admin, c := inspect(p.as("admin")), inspect(p.as("anna"))
		store := db.one(`SELECT id FROM stores WHERE name = $1`, moscow)
		action := "/stores/" + store + "/self-entry"
		for _, pairs := range [][]string{nil, {"self_entry", "maybe"}} {
			a := admin.post(action, pairs...)
			if a.Status != http.StatusUnprocessableEntity || !strings.Contains(admin.screen(a).text(), russian(t, "stores.choose")) {
				t.Errorf("%q: %d", pairs, a.Status)
			}
		}
		for _, path := range []string{"/stores/999/self-entry", "/stores/x/self-entry"} {
			if a := admin.post(path, "self_entry", "yes"); a.Status != http.StatusNotFound {
				t.Errorf("POST %s: %d", path, a.Status)
			}
		}
		admin.goesTo(admin.send("/stores", action), "/stores")
		if a := admin.part(action, "self_entry", "yes"); a.Header.Get("HX-Location") != "/stores" {
			t.Errorf("by htmx: %d", a.Status)
		}
		if got := db.one(`SELECT count(*) FROM stores WHERE self_entry`); got != "1" {
			t.Errorf("%s stores are set", got)
		}
		const phone = "+79165400001"
		visit := c.walkTo(p, phone)
		s := c.screen(c.get(visit + "/code"))
		if s.byID("code") != nil || len(find(s.root, withAttr("action", visit+"/code/checks"))) > 0 {
			t.Error("the advisor has a field")
		}
		a := c.post(visit+"/code/checks", "request_id", "by hand", "code", p.codes(phone)[0])
		if a.Status != http.StatusConflict || !strings.Contains(c.screen(a).text(), russian(t, "code.self_only")) {
			t.Errorf("by hand: %d\n%s", a.Status, c.screen(a).text())
		}
		if got := db.rows(`SELECT * FROM code_attempts WHERE visit_id = $1 AND kind = 'check'`, idOf(visit)); len(got) > 0 {
			t.Errorf("checked: %q", got)
		}
		path := "/c/" + db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(visit))
		customer := inspect(p.client())
		customer.goesTo(customer.send(path, path+"/checks", "code", p.codes(phone)[0]), path)
		if !strings.Contains(c.get(visit+"/code").Body, `id="code-next"`) {
			t.Error("not verified")
		}
	})
}
