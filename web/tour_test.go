package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"prilavok/sql/sqltest"
)

// look is called at every screen of a walk, with the window that stands there.
type look func(name string, w *window)

// walkScreens brings windows to every screen of the program and to every state
// of it that looks different. Its parts stand on data of their own, so that
// they walk side by side.
func walkScreens(t *testing.T, show look) {
	t.Helper()
	sqltest.SkipEmbedded(t)
	for _, part := range []struct {
		name, settings string
		walk           func(t *testing.T, p *program, d data)
	}{
		{"counter", "", func(t *testing.T, p *program, d data) {
			walkDoors(newWindow(t, p.URL), show)
			walkVisit(newWindow(t, p.URL), p, show)
			walkCode(newWindow(t, p.URL), show)
			walkSelf(t, newWindow(t, p.URL), show)
			walkPromo(newWindow(t, p.URL), p, d, show)
		}},
		{"office", "", func(t *testing.T, p *program, d data) {
			walkEnds(newWindow(t, p.URL), show)
			walkCustomer(t, p, d, show)
			walkGift(newWindow(t, p.URL), d, show)
			walkOffice(newWindow(t, p.URL), show)
			walkMessages(newWindow(t, p.URL), d, show)
			walkPromoCodes(newWindow(t, p.URL), show)
		}},
		{"templates", "", func(t *testing.T, p *program, d data) { walkTemplates(newWindow(t, p.URL), d, show) }},
		// Only a long wait can be shown counting; only a short one lets three SMS
		// go out.
		{"later", "CODE_RESEND_AFTER=1s", func(t *testing.T, p *program, _ data) { walkLater(t, p, show) }},
		// Only a first wrong code that locks the phone for the day shows that
		// without waiting.
		{"locked", "CODE_TRIES=1 CODE_TRIES_PER_DAY=1", func(t *testing.T, p *program, d data) { walkLocked(newWindow(t, p.URL), d, show) }},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			env := append([]string{"DATA_DIR=" + t.TempDir(), "LOG_LEVEL=warn"}, strings.Fields(part.settings)...)
			part.walk(t, start(t, env...), openData(t, env))
		})
	}
	t.Run("gateways", func(t *testing.T) {
		t.Parallel()
		walkGateways(t, show)
	})
}

// walkDoors shows what stands before the first visit.
func walkDoors(w *window, show look) {
	w.open("/sign-in")
	w.at(atSignIn)
	show("sign-in", w)
	w.open("/promo-check")
	w.see("продолжить с того же места")
	show("sign-in-back", w)
	w.open("/sign-in")
	w.fill("Логин", "olga")
	w.fill("Пароль", "not the password")
	w.press("Войти")
	w.see("Логин или пароль не подходят")
	show("sign-in-fault", w)
	w.fill("Пароль", demoPassword)
	w.press("Войти")
	w.at("Где вы сегодня работаете?")
	show("store", w)
	w.press("Продолжить")
	w.see("Выберите магазин")
	show("store-fault", w)
	w.fill("Магазин", "Гринвич")
	w.press("Продолжить")
	w.at(atCounter)
	show("counter-empty", w)
	w.open("/no-such-page")
	w.at("Не получилось")
	show("error-404", w)
	w.open("/visits")
	w.at("Не получилось")
	show("error-403", w)
}

// walkVisit shows a purchase by a friend's code from its first step.
func walkVisit(w *window, p *program, show look) {
	const phone = "+7 916 800-00-01"
	w.enter("anna")
	w.press("Новый визит")
	w.at(atAge)
	show("age", w)
	w.press("Продолжить")
	w.see("Выберите, как проверен возраст")
	show("age-fault", w)
	w.choose("Проверен документ")
	show("age-document", w)
	w.press("Продолжить")
	w.see("Введите дату рождения из документа")
	show("age-document-fault", w)
	w.choose("Сомнений нет")
	w.press("Продолжить")
	w.at(atConsents)
	show("consents", w)
	w.choose(agreeData)
	w.choose(agreeMessages)
	show("consents-given", w)
	w.press("Продолжить")
	w.at(atContact)
	show("contact", w)
	w.fill("Телефон", "8 495 123-45-67")
	w.press("Продолжить")
	w.see("Это не мобильный")
	show("contact-fault", w)
	w.fill("Телефон", phone)
	w.fill("Имя", "Александра Константиновна")
	w.press("Продолжить")
	w.at(atSend)
	show("code-send", w)
	w.press("Выслать код")
	w.at(atCode)
	show("code-sent", w)
	w.press("Проверить код")
	w.see("Введите код из SMS: 4 цифры")
	show("code-fault", w)
	code := w.codes(phone, 1)[0]
	w.fill("Код из SMS", wrong(code, 1))
	w.press("Проверить код")
	w.see("Осталось 2 попытки")
	show("code-wrong", w)
	w.press("Не пришло SMS?")
	w.at("Не пришло SMS?")
	show("code-help", w)
	w.press("Вернуться к коду")
	w.at(atCode)
	w.fill("Код из SMS", code)
	w.press("Проверить код")
	w.at(atVerified)
	show("code-verified", w)
	w.press("Контакт (пройден)")
	w.at(atContact)
	show("contact-verified", w)
	w.press("Продолжить")
	w.at(atPromo)
	show("promo", w)
	w.fill("Промокод", wrong(p.promoCode(), 1))
	w.press("Применить промокод")
	w.see("В промокоде опечатка")
	show("promo-refused", w)
	w.fill("Промокод", p.promoCode())
	w.press("Применить промокод")
	w.at(atHeld)
	show("promo-held", w)
	w.press("Продолжить")
	w.at(atOutcome)
	show("outcome", w)
	w.press("Завершить визит")
	w.see("Выберите, чем закончился визит")
	show("outcome-fault", w)
	w.choose("Покупка")
	w.fill("Товар", "Аура Про")
	w.see("4 666,50 ₽")
	show("outcome-purchase", w)
	w.press("Завершить визит")
	w.at("Покупка")
	show("summary-purchase", w)
	show("handset", w.handset(phone))
}

// walkCode shows a code that is out of tries.
func walkCode(w *window, show look) {
	const phone = "+7 916 800-00-02"
	w.enter("anna")
	w.serveUntilCode(phone, "Пётр")
	w.press("Выслать код")
	w.at(atCode)
	code := w.codes(phone, 1)[0]
	for i, answer := range []string{"Осталось 2 попытки", "Осталась 1 попытка", "Попытки для этого кода закончились"} {
		w.fill("Код из SMS", wrong(code, i+1))
		w.press("Проверить код")
		w.see(answer)
	}
	show("code-locked", w)
	w.press("Продолжить без проверки")
	w.at(atPromo)
	show("promo-unverified", w)
}

// walkPromo shows a code whose hold ran out, and the quick question about one.
func walkPromo(w *window, p *program, d data, show look) {
	const phone = "+7 916 800-00-03"
	w.enter("anna")
	w.serveUntilCode(phone, "Инна")
	w.verify(phone)
	w.press("Продолжить")
	w.at(atPromo)
	w.fill("Промокод", p.promoCode())
	w.press("Применить промокод")
	w.at(atHeld)

	check := w.tab()
	check.open("/promo-check")
	check.at("Проверить промокод")
	show("promo-check", check)
	check.press("Проверить промокод")
	check.see("Введите промокод")
	show("promo-check-fault", check)
	check.fill("Промокод", p.promoCode())
	check.press("Проверить промокод")
	check.see("Скидка")
	show("promo-check-usable", check)
	check.fill("Промокод", "000 000 0000")
	check.press("Проверить промокод")
	check.see("Этот промокод не сработает")
	show("promo-check-refused", check)

	d.exec("UPDATE promo_codes SET used = used - (SELECT count(*) FROM redemptions r WHERE r.promo_code_id = promo_codes.id AND r.state = 'held')")
	d.exec("UPDATE redemptions SET state = 'expired', settled_at = held_until WHERE state = 'held'")
	w.do(chromedp.Reload())
	w.at(atPromo)
	show("promo-lapsed", w)
}

// walkEnds shows the visits that end otherwise, and one that has not ended.
func walkEnds(w *window, show look) {
	w.enter("timur")
	w.press("Новый визит")
	w.at(atAge)
	w.choose("Отказ")
	w.press("Продолжить")
	w.at("Продать нельзя")
	show("summary-refused", w)
	w.press("Новый визит")
	w.at(atAge)
	w.choose("Проверен документ")
	w.fill("Дата рождения", time.Now().AddDate(-17, 0, 0).Format("02.01.2006"))
	w.press("Продолжить")
	w.at("Продать нельзя")
	show("summary-under-age", w)

	w.press("Новый визит")
	w.at(atAge)
	w.choose("Сомнений нет")
	w.press("Продолжить")
	w.at(atConsents)
	w.press("Продолжить")
	w.at(atOutcome)
	show("outcome-anonymous", w)
	w.choose("Ушёл")
	w.press("Завершить визит")
	w.at("Ушёл")
	show("summary-left", w)

	w.press("Новый визит")
	w.at(atAge)
	w.choose("Сомнений нет")
	w.press("Продолжить")
	w.at(atConsents)
	w.choose(agreeData)
	w.press("Продолжить")
	w.at(atContact)
	w.fill("Телефон", "+7 916 800-00-04")
	w.fill("Имя", "Лев")
	w.press("Продолжить")
	w.at(atPromo)
	show("promo-no-messages", w)

	w.open("/counter")
	w.at(atCounter)
	w.serveUntilCode("+7 916 800-00-05", "Майя")
	w.verify("+7 916 800-00-05")
	w.press("Продолжить")
	w.at(atPromo)
	w.press("Продолжить")
	w.at(atOutcome)
	w.choose("Тест")
	w.press("Завершить визит")
	w.at("Тест")
	show("summary-trial", w)

	w.press("Новый визит")
	w.at(atAge)
	w.open("/counter")
	w.at(atCounter)
	show("counter-open", w)
	w.connected(false, 0)
	w.see("Нет связи")
	show("connection-lost", w)
	w.connected(true, 0)
	w.gone("Нет связи")
	w.press("EN, English")
	w.at("Counter")
	show("counter-english", w)
	w.press("RU, Русский")
	w.at(atCounter)
}

// supervise signs the supervisor in.
func (w *window) supervise() {
	w.t.Helper()
	w.toOffice("vera")
}

// toOffice signs somebody in who has no counter.
func (w *window) toOffice(login string) {
	w.t.Helper()
	w.open("/sign-in")
	w.at(atSignIn)
	w.fill("Логин", login)
	w.fill("Пароль", demoPassword)
	w.press("Войти")
	w.at("Визиты")
}

// walkOffice shows what a supervisor sees.
func walkOffice(w *window, show look) {
	w.supervise()
	show("visits", w)
	for _, visit := range []struct{ name, filter string }{{"purchase", "?outcome=purchase"}, {"refused", "?outcome=refused"}, {"open", "?outcome=open"}} {
		w.open("/visits" + visit.filter)
		w.at("Визиты")
		w.open(w.link("a.visit-link"))
		w.see("Как всё шло")
		show("visit-"+visit.name, w)
	}
	w.open("/visits?day=2001-01-01")
	w.at("Визиты")
	show("visits-none", w)

	w.open("/visits?outcome=purchase")
	w.at("Визиты")
	w.open(w.link("a.visit-link"))
	w.press("Аннулировать покупку")
	w.at("Аннулировать покупку?")
	show("void", w)
	w.press("Аннулировать покупку")
	w.see("Напишите причину, хотя бы пару слов")
	show("void-fault", w)
	w.fill("Причина", "Покупатель вернул товар на следующий день, чек 1204")
	w.press("Аннулировать покупку")
	w.see("Кто аннулировал")
	show("visit-voided", w)
	w.open("/visits?outcome=purchase")
	w.see("Аннулирована")
	show("visits-voided", w)
}

// walkMessages shows what was sent and what customers write back.
func walkMessages(w *window, d data, show look) {
	const (
		question = "Добрый день! Подскажите, пожалуйста, когда можно забрать подарок и нужен ли для этого паспорт?"
		angry    = "нет, спасибо, позвоните завтра"
	)
	w.supervise()
	w.open("/incoming")
	w.see("Входящих SMS пока нет")
	show("incoming-none", w)
	visit := d.one("SELECT max(visit_id) FROM messages WHERE channel = 'programme'")
	ids := map[string]string{}
	for _, text := range []string{
		"СТОП", "Старт", question, angry, "https://example.com/" + strings.Repeat("long", 30),
	} {
		ids[text] = wrote(d, visit, text)
	}
	d.exec(`INSERT INTO incoming_messages (gateway, gateway_id, phone, body, word, at) SELECT 'test', 'mts', 'MTS-Info', 'Вам звонили 2 раза', '', at FROM incoming_messages LIMIT 1`)
	w.open("/incoming")
	w.see("Возможно, просят не писать")
	w.press("Отметить прочитанным, № " + ids[question])
	w.see("Вера")
	show("incoming", w)
	w.press("Больше не писать, № " + ids[angry])
	w.at("Больше не писать этому покупателю?")
	show("incoming-stop", w)
	w.press("Больше не писать")
	w.at("Входящие SMS")
	w.press("Остановить сообщения по просьбе покупателя")
	w.at("Больше не писать покупателю")
	show("withdrawals", w)
	w.press("Больше не писать")
	w.see("Напишите причину, хотя бы пару слов")
	show("withdrawals-fault", w)
	w.fill("Телефон покупателя", "8 916 800 00 01")
	w.fill("Причина", "Позвонил в магазин и попросил больше не присылать рекламу")
	w.choose("Об этом попросил сам владелец номера")
	w.press("Больше не писать")
	w.see("Если на этот номер уходили наши сообщения")
	show("withdrawals-done", w)

	// Each state once.
	d.exec(`UPDATE messages SET state = 'undelivered', reason = 'not_arrived', gateway = 'kannel', parts = 3, price = 1350, settled_at = due_at, sending_at = due_at, accepted_at = due_at
		WHERE id = (SELECT max(id) FROM messages WHERE channel = 'programme')`)
	d.exec(`UPDATE messages SET state = 'unknown', reason = 'gateway_ambiguous', gateway = 'kannel', settled_at = due_at, sending_at = due_at
		WHERE id = (SELECT max(id) FROM messages WHERE channel = 'code')`)
	w.open("/messages")
	w.at("Сообщения")
	show("messages", w)
	w.fill("Состояние", "Не доставлено")
	w.see("Сбросить фильтры")
	w.open(w.link("a.visit-link"))
	w.see("Шлюз пока ничего не сообщал")
	show("message-undelivered", w)
	sent := d.one("SELECT max(id) FROM messages WHERE channel = 'code'")
	d.exec(`INSERT INTO delivery_reports (message_id, gateway, report_key, state, status, detail, at)
		SELECT id, 'kannel', 'a', 'accepted', '8', 'smsc=beeline-1', created_at FROM messages WHERE id = $1`, sent)
	d.exec(`INSERT INTO delivery_reports (message_id, gateway, report_key, state, status, detail, at)
		SELECT id, 'kannel', 'b', '', '64', $2, created_at FROM messages WHERE id = $1`, sent, `{"operator":"`+strings.Repeat("x", 90)+`"}`)
	w.open("/messages/" + sent)
	w.see("Неизвестный статус")
	show("message-code", w)
	w.open("/messages?day=2001-01-01")
	w.see("Таких сообщений нет")
	show("messages-none", w)
}

// walkGift shows a gift that waits for a customer, and is handed over.
func walkGift(w *window, d data, show look) {
	const phone = "+7 916 800-00-07"
	w.enter("anna")
	w.serveUntilCode(phone, "Зоя")
	w.verify(phone)
	waitingGift(d, d.one("SELECT max(id) FROM visits"))
	w.do(chromedp.Reload())
	w.see("Покупателя ждёт подарок")
	show("code-gift", w)
	w.press("Продолжить")
	w.at(atPromo)
	w.press("Продолжить")
	w.at(atOutcome)
	show("outcome-gift", w)
	w.press("Подарок вручён")
	w.see("Второй раз этот подарок не выдать")
	show("outcome-gift-collected", w)
	w.choose("Ушёл")
	w.press("Завершить визит")
	w.at("Ушёл")
	show("summary-gift", w)
}

// link is where the first link of a kind leads.
func (w *window) link(selector string) string {
	w.t.Helper()
	path, err := eval[string](w, fmt.Sprintf("document.querySelector(%q).getAttribute('href')", selector))
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.scene())
	}
	return path
}

// walkLocked shows a phone that is locked for the day, and a handset to which
// nothing has come.
func walkLocked(w *window, d data, show look) {
	d.exec("DELETE FROM messages")
	w.open("/handset")
	w.at(atHandset)
	show("handset-empty", w)
	const phone = "+7 916 800-00-06"
	w.enter("anna")
	w.serveUntilCode(phone, "Яков")
	w.press("Выслать код")
	w.at(atCode)
	w.fill("Код из SMS", wrong(w.codes(phone, 1)[0], 1))
	w.press("Проверить код")
	w.see("Для этого номера за сутки слишком часто вводили неверный код.")
	show("code-locking", w)
	w.do(chromedp.Reload())
	w.at("Сейчас номер не подтвердить")
	show("code-day-locked", w)
	w.press("Выйти")
	w.at(atSignIn)
	w.supervise()
	w.open("/limits")
	w.at("Ограничения")
	show("limits", w)
	w.press("Снять")
	w.at("Снять ограничение?")
	show("limit-lift", w)
	w.press("Снять ограничение")
	w.see("Напишите причину")
	show("limit-lift-fault", w)
	w.fill("Почему снимаете", "Покупатель рядом, ошиблись при вводе")
	w.press("Снять ограничение")
	w.at("Ограничения")
	w.see("Сейчас ограничений нет")
	w.see("Покупатель рядом, ошиблись при вводе")
	show("limits-none", w)
}

// sizes are the screens that the program must suit: a tablet, a phone, a
// laptop.
var sizes = []struct{ width, height int64 }{{1024, 768}, {390, 844}, {1440, 900}}

// dress gives a window a size and a theme.
func (w *window) dress(width, height int64, theme string) {
	w.t.Helper()
	w.do(chromedp.EmulateViewport(width, height))
	must(w, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme},
		// A picture shall not depend on how far a transition has come.
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// TestTourInABrowser leaves a picture of every screen in TOUR_DIR, for people to look at.
// What a machine can judge about the same screens is in TestLooksInABrowser.
func TestTourInABrowser(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("TOUR_DIR")
	if dir == "" {
		t.Skip("TOUR_DIR is not set: no pictures wanted")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	browser(t)
	walkScreens(t, func(name string, w *window) {
		for _, size := range sizes {
			for _, theme := range []string{"light", "dark"} {
				if theme == "dark" && size.width == 1440 {
					continue
				}
				w.dress(size.width, size.height, theme)
				w.picture(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, size.width, theme)), size.width, size.height)
			}
		}
		w.dress(1024, 768, "light")
	})
}

// picture takes the whole page. The window is made as high as the page, since a
// bar that sticks to its lower edge would lie over the middle otherwise.
func (w *window) picture(file string, width, height int64) {
	w.t.Helper()
	full, err := eval[int64](w, "document.documentElement.scrollHeight")
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(chromedp.EmulateViewport(width, max(height, full)))
	png, err := call(w, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, png.Data, 0o644); err != nil {
		w.t.Fatal(err)
	}
}
