package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Headings of the screens, by which a journey says where it is.
const (
	atSignIn   = "Вход"
	atCounter  = "Прилавок"
	atAge      = "Покупателю уже исполнилось 18 лет?"
	atConsents = "На что согласен покупатель?"
	atContact  = "Как связаться с покупателем?"
	atSend     = "Подтвердим телефон"
	atCode     = "Какой код пришёл?"
	atVerified = "Телефон подтверждён"
	atPromo    = "Есть промокод?"
	atHeld     = "Промокод действует"
	atOutcome  = "Чем закончился визит?"
	atHandset  = "Демо-телефон"

	agreeData     = "Покупатель согласен на обработку персональных данных"
	agreeMessages = "Покупатель согласен получать сообщения"
)

// TestJourneys walks the visits of a day in a real browser. The journeys share
// one program, as they would share a shop, and differ in their customers.
func TestJourneys(t *testing.T) {
	browser(t)
	eachBackend(t, func(t *testing.T, env []string) {
		// The first wait is long enough to be seen, the next ones are not waited
		// for by anybody.
		p := start(t, append(env, "CODE_RESEND_AFTER=2s,1s,1s", "LOG_LEVEL=warn")...)
		for _, j := range []struct {
			name string
			walk func(*testing.T, *program)
		}{
			{"purchase with a friend's code", func(t *testing.T, p *program) { purchaseWithCode(newWindow(t, p.URL), p, "+7 916 700-00-01") }},
			{"purchase without scripts", func(t *testing.T, p *program) {
				purchaseWithCode(newWindow(t, p.URL).withoutScripts(), p, "+7 916 700-00-02")
			}},
			{"trial", trial},
			{"refusal of age", refusal},
			{"no consent", noConsent},
			{"wrong code three times", wrongCode},
			{"resend", resend},
			{"resume in a second browser", resume},
			{"reload, back and double taps", impatience},
			{"lost connection", lostConnection},
			{"keyboard alone", keyboard},
		} {
			t.Run(j.name, func(t *testing.T) { j.walk(t, p) })
		}
	})
}

// enter signs in and comes to the counter.
func (w *window) enter(login string) {
	w.t.Helper()
	w.open("/sign-in")
	w.at(atSignIn)
	w.fill("Логин", login)
	w.fill("Пароль", demoPassword)
	w.press("Войти")
	w.at(atCounter)
}

// serve goes from the counter to the question for the contact.
func (w *window) serve() {
	w.t.Helper()
	w.press("Новый визит")
	w.at(atAge)
	w.choose("Сомнений нет")
	w.press("Продолжить")
	w.at(atConsents)
	w.choose(agreeData)
	w.choose(agreeMessages)
	w.press("Продолжить")
	w.at(atContact)
}

// serveUntilCode goes on until a code can be sent.
func (w *window) serveUntilCode(phone, name string) {
	w.t.Helper()
	w.serve()
	w.fill("Телефон", phone)
	w.fill("Имя", name)
	w.press("Продолжить")
	w.at(atSend)
	w.see(phone)
}

// verify sends the code, reads it from the customer's phone in a second tab and
// types it.
func (w *window) verify(phone string) {
	w.t.Helper()
	w.press("Выслать код")
	w.at(atCode)
	w.fill("Код из SMS", w.codes(phone, 1)[0])
	w.press("Проверить код")
	w.at(atVerified)
}

// handset opens a customer's conversation in a second tab.
func (w *window) handset(phone string) *window {
	w.t.Helper()
	h := w.tab()
	h.open("/handset")
	h.at(atHandset)
	link := fmt.Sprintf(`[...document.querySelectorAll("nav a")].find(a => a.innerText.replaceAll("\u00a0", " ").includes(%q))?.href ?? ""`, phone)
	h.until("find the conversation with "+phone, func() error {
		url, err := eval[string](h, link)
		if err != nil || url == "" {
			return errors.Join(err, errors.New("no such number in the list"))
		}
		h.do(chromedp.Navigate(url))
		return nil
	})
	h.at(atHandset)
	return h
}

// codes gives the codes that a phone has received, the newest first, once there
// are so many.
func (w *window) codes(phone string, count int) (codes []string) {
	w.t.Helper()
	h := w.handset(phone)
	h.until(fmt.Sprintf("receive %d codes", count), func() error {
		texts, err := eval[[]string](h, `[...document.querySelectorAll("[role=log] li > p:first-child")].map(p => p.innerText)`)
		codes = nil
		for _, text := range texts {
			if code := regexp.MustCompile(`^\d{4}\b`).FindString(text); code != "" {
				codes = append(codes, code)
			}
		}
		if err == nil && len(codes) != count {
			err = fmt.Errorf("%d codes have come", len(codes))
		}
		return err
	})
	return codes
}

// tomorrow is when a promise is due, as the summary writes it. The test may run
// over midnight, so both days are right that it may have seen.
func tomorrow(began time.Time, zone string) []string {
	location, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	months := []string{"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"}
	var out []string
	for _, at := range []time.Time{began, time.Now()} {
		at = at.In(location).AddDate(0, 0, 1)
		out = append(out, fmt.Sprintf("%d %s в 11:00", at.Day(), months[at.Month()-1]))
	}
	return out
}

func purchaseWithCode(w *window, p *program, phone string) {
	began := time.Now()
	w.enter("anna")
	w.serveUntilCode(phone, "Ирина")
	w.verify(phone)
	w.press("Продолжить")
	w.at(atPromo)
	w.fill("Промокод", p.promoCode())
	w.press("Применить промокод")
	w.at(atHeld)
	w.see("15 %", p.promoCode())
	w.press("Продолжить")
	w.at(atOutcome)
	w.choose("Покупка")
	w.fill("Товар", "Аура Старт")
	w.press("Завершить визит")
	w.at("Покупка")
	// 3 990 ₽ less 15 %.
	w.see("Аура Старт", "3 391,50 ₽", "SMS с промокодом для друзей")
	text, _ := w.text()
	if !slices.ContainsFunc(tomorrow(began, "Europe/Moscow"), func(due string) bool { return strings.Contains(text, due) }) {
		w.t.Fatalf("the summary does not say when the SMS comes:\n%s", text)
	}

	h := w.handset(phone)
	h.press("Отправить сейчас")
	h.until("receive the new promo code", func() error {
		text, err := eval[string](h, `document.querySelector("[role=log] li").innerText`)
		if code := regexp.MustCompile(`\d{3}\s\d{3}\s\d{4}`).FindString(text); err == nil && (code == "" || digits(code) == digits(p.promoCode())) {
			err = fmt.Errorf("the newest text is %q", text)
		}
		return err
	})
	h.gone("Отправить сейчас")
}

func trial(t *testing.T, p *program) {
	const phone = "+7 916 700-00-03"
	w := newWindow(t, p.URL)
	w.enter("anna")
	w.serveUntilCode(phone, "Олег")
	w.verify(phone)
	w.press("Продолжить")
	w.at(atPromo)
	w.press("Продолжить")
	w.at(atOutcome)
	w.choose("Тест")
	w.press("Завершить визит")
	w.at("Тест")
	w.see("SMS с промокодом на первую покупку", "в 11:00")
	// The next customer is one press away.
	w.press("Новый визит")
	w.at(atAge)
}

func refusal(t *testing.T, p *program) {
	w := newWindow(t, p.URL)
	w.enter("anna")
	w.press("Новый визит")
	w.at(atAge)
	w.choose("Отказ")
	w.press("Продолжить")
	w.at("Продать нельзя")
	w.see("Ничего личного мы не сохранили")

	w.press("Новый визит")
	w.at(atAge)
	w.choose("Проверен документ")
	w.press("Продолжить")
	w.see("Введите дату рождения из документа")
	w.fill("Дата рождения", time.Now().AddDate(-17, 0, 0).Format("02.01.2006"))
	w.press("Продолжить")
	w.at("Продать нельзя")
	w.see("Спасибо, что показали документ")

	w.press("Новый визит")
	w.at(atAge)
	w.choose("Проверен документ")
	w.fill("Дата рождения", time.Now().AddDate(-19, 0, 0).Format("02.01.2006"))
	w.press("Продолжить")
	w.at(atConsents)
}

func noConsent(t *testing.T, p *program) {
	w := newWindow(t, p.URL)
	w.enter("anna")
	w.press("Новый визит")
	w.at(atAge)
	w.choose("Сомнений нет")
	w.press("Продолжить")
	w.at(atConsents)
	w.press("Продолжить")
	w.at(atOutcome)
	w.see("Контакт, код и промокод пропущены")
	w.choose("Покупка")
	w.fill("Товар", "Аура Про")
	w.press("Завершить визит")
	w.at("Покупка")
	w.see("5 490 ₽", "Сообщений не будет", "Для сообщений нужны оба согласия")

	// Without the second consent alone, no code is sent, and the screen says why.
	w.press("Новый визит")
	w.at(atAge)
	w.choose("Сомнений нет")
	w.press("Продолжить")
	w.at(atConsents)
	w.choose(agreeData)
	w.press("Продолжить")
	w.at(atContact)
	w.fill("Телефон", "+7 916 700-00-04")
	w.fill("Имя", "Лев")
	w.press("Продолжить")
	w.at(atPromo)
	w.see("Код из SMS не высылаем", "Покупатель не согласился получать сообщения")
}

func wrongCode(t *testing.T, p *program) {
	const phone = "+7 916 700-00-05"
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.serveUntilCode(phone, "Роман")
	w.press("Выслать код")
	w.at(atCode)
	code := w.codes(phone, 1)[0]

	// What can't be a code is no try.
	w.press("Проверить код")
	w.see("Введите код из SMS: 4 цифры")
	w.fill("Код из SMS", "12")
	w.press("Проверить код")
	w.see("В коде 4 цифры")

	// A second tab still has the field when the tries are over.
	other := w.tab()
	other.open(w.path())
	other.at(atCode)
	for i, answer := range []string{"Осталось 2 попытки", "Осталась 1 попытка", "Попытки для этого кода закончились"} {
		w.fill("Код из SMS", wrong(code, i+1))
		w.press("Проверить код")
		w.see(answer)
		w.focused("[data-error-summary]")
	}
	w.at(atSend)
	other.fill("Код из SMS", code)
	other.press("Проверить код")
	other.see("Попытки для этого кода закончились")
	other.at(atSend)

	// The sale does not depend on it.
	w.press("Продолжить без проверки")
	w.at(atPromo)
	w.see("Телефон не подтверждён")
}

func resend(t *testing.T, p *program) {
	const phone = "+7 916 700-00-06"
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.serveUntilCode(phone, "Нина")
	// The wait may be over before this test has looked, so the page itself
	// remembers what the button was like while the clock ran.
	_, err := eval[bool](w, `(() => {
		window.asleep = false;
		new MutationObserver(() => {
			const button = document.getElementById("resend"), clock = document.querySelector("[data-countdown-value]");
			if (button?.disabled && clock?.checkVisibility() && /^0:0[12]$/.test(clock.innerText)) window.asleep = true;
		}).observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		return true;
	})()`)
	if err != nil {
		t.Fatal(err)
	}
	w.press("Выслать код")
	w.at(atCode)
	w.see("Теперь можно выслать ещё раз.")
	if asleep, err := eval[bool](w, "window.asleep"); err != nil || !asleep {
		t.Errorf("«Выслать ещё раз» was never asleep beside a running clock (%v)", err)
	}
	first := w.codes(phone, 1)
	w.press("Выслать ещё раз")
	both := w.codes(phone, 2)
	if both[0] != first[0] || both[1] != first[0] {
		t.Errorf("the codes are %q, first %q: within a challenge they must be one", both, first)
	}
	w.at(atCode)
	w.fill("Код из SMS", both[0])
	w.press("Проверить код")
	w.at(atVerified)
}

func resume(t *testing.T, p *program) {
	const phone, name = "+7 916 700-00-07", "Зоя Третьякова"
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.serveUntilCode(phone, name)
	w.press("Выслать код")
	w.at(atCode)
	visit := w.path()

	other := newWindow(t, p.URL)
	other.enter("timur")
	other.see("Остановились на шаге «Код из SMS»")
	other.press(name)
	other.at(atCode)
	if other.path() != visit {
		t.Errorf("the visit goes on at %s, want %s", other.path(), visit)
	}
	other.see(phone)
	other.press("Изменить номер")
	other.at(atContact)
	if got := []string{other.value("Телефон"), other.value("Имя")}; !slices.Equal(got, []string{phone, name}) {
		t.Errorf("the second browser shows %q", got)
	}
	other.press("Продолжить")
	other.at(atCode)
	other.fill("Код из SMS", other.codes(phone, 1)[0])
	other.press("Проверить код")
	other.at(atVerified)

	// The first browser has not heard of it and finds its way.
	w.do(chromedp.Reload())
	w.at(atVerified)
}

// count asks the administrator's list how many visits there are; it is short
// enough to stand on one page.
func count(t *testing.T, p *program, filter string) int {
	t.Helper()
	c := p.as("admin")
	page := c.screen(c.get("/visits" + filter))
	n := len(find(page.root, withAttr("class", "visit-link")))
	if len(find(page.root, withAttr("rel", "next"))) > 0 {
		t.Fatal("the visits do not fit on one page")
	}
	return n
}

func impatience(t *testing.T, p *program) {
	w := newWindow(t, p.URL)
	w.enter("timur")
	visits, sales := count(t, p, ""), count(t, p, "?outcome=purchase")
	w.pressTwice("Новый визит")
	w.at(atAge)
	w.choose("Сомнений нет")
	w.do(chromedp.Reload())
	w.at(atAge)
	w.choose("Сомнений нет")
	w.press("Продолжить")
	w.at(atConsents)
	w.choose(agreeData)
	w.press("Продолжить")
	w.at(atContact)
	w.fill("Телефон", "+7 916 700-00-08")
	w.fill("Имя", "Вася")
	w.do(chromedp.Reload())
	w.at(atContact)
	if got := []string{w.value("Телефон"), w.value("Имя")}; !slices.Equal(got, []string{"+7 916 700-00-08", "Вася"}) {
		t.Errorf("after a reload the fields hold %q", got)
	}
	w.press("Продолжить")
	w.at(atPromo)
	w.back()
	w.at(atContact)
	w.press("Продолжить")
	w.at(atPromo)
	w.press("Продолжить")
	w.at(atOutcome)
	w.choose("Покупка")
	w.fill("Товар", "Набор")
	w.see("8 990 ₽")
	w.pressTwice("Завершить визит")
	w.at("Покупка")
	w.see("Примите оплату")
	w.back()
	w.until("come back to the visit that has ended", func() error {
		if text, err := w.text(); err != nil || !strings.Contains(text, "Примите оплату") && !strings.Contains(text, atOutcome) {
			return errors.Join(err, errors.New("neither the end of the visit nor its last question"))
		}
		return nil
	})
	if text, _ := w.text(); strings.Contains(text, atOutcome) {
		w.choose("Тест")
		w.press("Завершить визит")
	}
	w.at("Покупка")
	w.see("8 990 ₽")
	if got := count(t, p, "") - visits; got != 1 {
		t.Errorf("%d visits were begun, want 1", got)
	}
	if got := count(t, p, "?outcome=purchase") - sales; got != 1 {
		t.Errorf("%d sales were made, want 1", got)
	}
}

// back presses the browser's own button.
func (w *window) back() {
	w.t.Helper()
	if _, err := eval[bool](w, "history.back(), true"); err != nil {
		w.t.Fatal(err)
	}
}

func lostConnection(t *testing.T, p *program) {
	const phone, name = "+7 916 700-00-09", "Жанна"
	w := newWindow(t, p.URL)
	// The page counts in tenths of its own seconds, so that nobody waits for its
	// idea of slow.
	must(w, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `{ const real = window.setTimeout; window.setTimeout = (f, ms, ...rest) => real(f, ms / 10, ...rest); }`,
	})
	w.enter("timur")
	w.serve()
	w.fill("Телефон", phone)
	w.fill("Имя", name)
	w.connected(false, 0)
	w.see("Нет связи. Всё, что вы ввели, осталось на экране.")
	w.press("Продолжить")
	w.see("Повторить")
	w.at(atContact)
	if got := []string{w.value("Телефон"), w.value("Имя")}; !slices.Equal(got, []string{phone, name}) {
		t.Errorf("without a connection the fields hold %q", got)
	}
	w.connected(true, 0)
	w.gone("Нет связи")

	// A slow line is told from a lost one, and nothing is told once the answer
	// is here, be it a fault.
	w.fill("Имя", "")
	w.connected(true, time.Second)
	w.press("Продолжить")
	w.see("Связь медленная")
	w.see("Введите имя")
	w.gone("Связь медленная")
	w.connected(true, 0)
	w.press("Продолжить")
	w.focused("[data-error-summary]")
	// Past the moment at which the page would say so.
	if _, err := eval[bool](w, "new Promise(done => setTimeout(() => done(true), 5000))", chromedp.EvalAwaitPromise); err != nil {
		t.Fatal(err)
	}
	if text, _ := w.text(); strings.Contains(text, "Связь медленная") {
		t.Error("a form that came back with its fault counts as slow for ever")
	}
	w.fill("Имя", name)
	w.press("Продолжить")
	w.at(atSend)
	w.see(phone)
}

// focused waits until the focus is on what the selector names.
func (w *window) focused(selector string) {
	w.t.Helper()
	w.until("focus on "+selector, func() error {
		yes, err := eval[bool](w, fmt.Sprintf("document.activeElement?.matches(%q) ?? false", selector))
		if err == nil && !yes {
			err = errors.New("the focus is elsewhere")
		}
		return err
	})
}

// tabTo goes on by the Tab key to the control with this name.
func (w *window) tabTo(name string) {
	w.t.Helper()
	var passed []string
	for range 40 {
		w.key(kb.Tab)
		got, err := eval[string](w, `(() => { const e = document.activeElement; return (e.labels?.[0] ?? e).innerText.trim() })()`)
		if err != nil {
			w.t.Fatal(err)
		}
		if got == name {
			return
		}
		passed = append(passed, got)
	}
	w.t.Fatalf("the Tab key does not reach %q but %q", name, passed)
}

func keyboard(t *testing.T, p *program) {
	w := newWindow(t, p.URL)
	w.enter("timur")
	w.tabTo("Новый визит")
	w.key(kb.Enter)
	w.at(atAge)

	// A fault takes the focus to the summary, and its link to the field.
	w.tabTo("Продолжить")
	w.key(kb.Enter)
	w.see("Выберите, как проверен возраст")
	w.focused("[data-error-summary]")
	w.key(kb.Tab)
	w.key(kb.Enter)
	w.focused("input[name=age]")
	w.key(" ")
	w.tabTo("Продолжить")
	w.key(kb.Enter)
	w.at(atConsents)
	for _, box := range []string{agreeData, agreeMessages} {
		w.tabTo(box)
		w.key(" ")
	}
	w.tabTo("Продолжить")
	w.key(" ")
	w.at(atContact)
	w.tabTo("Продолжить")
	w.key(kb.Enter)
	w.see("Введите телефон")
	w.focused("[data-error-summary]")
	w.tabTo("Телефон")
	w.key("8 916 700 00 10")
	w.tabTo("Имя")
	w.key("Юля" + kb.Enter)
	w.at(atSend)
	w.see("+7 916 700-00-10")
}

// TestComplaints holds the listener of the journeys against a page that does
// all that it must hear.
func TestComplaints(t *testing.T) {
	shared := browser(t)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/script.js" {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, `console.error("an error of the console"); throw Error("an exception of the page")`)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'self'")
		fmt.Fprintf(w, `<!DOCTYPE html><title>Bad</title><link rel="icon" href="data:,"><p>bad<script>1</script><script src="/script.js"></script><img src="%s/pixel">`, other.URL)
	}))
	defer bad.Close()
	wrong := &complaints{}
	w := openTab(t, shared, bad.URL, wrong, chromedp.WithNewBrowserContext())
	w.open("/")
	for _, want := range []string{"console: ", "exception: ", "log: security", "request to another host: " + other.URL} {
		w.until("hear "+want, func() error {
			if !slices.ContainsFunc(wrong.list(), func(line string) bool { return strings.HasPrefix(line, want) }) {
				return fmt.Errorf("heard only %q", wrong.list())
			}
			return nil
		})
	}
}
