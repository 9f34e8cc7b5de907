package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

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
	w.paste("Код из SMS", code+"5")
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
	// idea of slow. Its long waits stay long: it must not give a request up.
	must(w, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `{ const real = window.setTimeout; window.setTimeout = (f, ms, ...rest) => real(f, ms < 10000 ? ms / 10 : ms, ...rest); }`,
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
	// The answer may be here before this test has looked, so the page itself
	// remembers what it has said.
	if _, err := eval[bool](w, `(() => {
		window.slow = false;
		new MutationObserver(() => { slow ||= document.body.innerText.includes("Связь медленная"); })
			.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		return true;
	})()`); err != nil {
		t.Fatal(err)
	}
	w.press("Продолжить")
	w.see("Введите имя")
	w.gone("Связь медленная")
	if slow, err := eval[bool](w, "window.slow"); err != nil || !slow {
		t.Errorf("nobody was told that the line is slow (%v)", err)
	}
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
