package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
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
	atStore    = "Где вы сегодня работаете?"
	atHandset  = "Демо-телефон"

	agreeData     = "Покупатель согласен на обработку персональных данных"
	agreeMessages = "Покупатель согласен получать сообщения"
)

// TestJourneysInABrowser walks the visits of a day in a real browser, each in a
// shop of its own, several at a time.
func TestJourneysInABrowser(t *testing.T) {
	browser(t)
	eachFresh(t, func(t *testing.T, fresh func(testing.TB) []string) {
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
			{"the customer types the code", selfEntry},
			{"the customer types the code without scripts", selfEntryWithoutScripts},
			{"only the customer types the code", compulsorySelfEntry},
			{"the customer verifies later", verifiedLater},
			{"resume in a second browser", resume},
			{"reload, back and double taps", impatience},
			{"lost connection", lostConnection},
			{"keyboard alone", keyboard},
			{"the session ends amid a form", sessionEnds},
			{"the session ends amid a form without scripts", sessionEndsWithoutScripts},
			{"drafts are one's own", draftsAreOnesOwn},
			{"forms that have not arrived", formsThatHaveNotArrived},
			{"forms before the choice of a store", formsBeforeTheStore},
			{"a file after the session's end", filesAfterTheEnd},
		} {
			t.Run(j.name, func(t *testing.T) {
				t.Parallel()
				// The first wait is long enough to be seen, the next ones are not waited
				// for by anybody.
				j.walk(t, start(t, append(fresh(t), "CODE_RESEND_AFTER=2s,1s,1s", "LOG_LEVEL=warn")...))
			})
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
	if scripts, err := eval[bool](w, `"htmx" in window`); err != nil || scripts == w.bare {
		w.t.Fatalf("the page's scripts run: %t, want %t (%v)", scripts, !w.bare, err)
	}
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
	code := other.codes(phone, 1)[0]
	other.paste("Код из SMS", " "+code[:2]+"-"+code[2:]+" ")
	other.press("Проверить код")
	other.at(atVerified)

	// The first browser has not heard of it and finds its way.
	w.do(chromedp.Reload())
	w.at(atVerified)
}
