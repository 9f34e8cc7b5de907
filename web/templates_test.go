package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"prilavok/sql/sqltest"
)

const stoppedText = "/templates/1/stopped/ru"

// typed is what stands in a form's field.
func (c *client) typed(a answer, name string) string {
	c.t.Helper()
	return typedIn(c.screen(a), name)
}

// Of two administrators who save at once the second one is told, sees both
// texts, and decides.
func TestTemplateSavedMeanwhile(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		admin := inspect(p.as("admin"))
		older := admin.screen(admin.get(stoppedText)).form(stoppedText)
		admin.goesTo(admin.send(stoppedText, stoppedText, "body", "{brand}: первый текст"), stoppedText+"?saved=yes")
		if a := admin.get(stoppedText + "?saved=yes"); !strings.Contains(a.Body, "Сохранено") || admin.typed(a, "body") != "{brand}: первый текст" || admin.typed(a, "version") != "1" {
			t.Errorf("after saving: %s", admin.screen(a).text())
		}
		for _, send := range []func(form string) answer{
			func(form string) answer { return admin.do(http.MethodPost, stoppedText, nil, form) },
			func(form string) answer { return admin.do(http.MethodPost, stoppedText, asPart, form) },
		} {
			a := send(withFields(older, "body", "{brand}: второй текст"))
			if text := admin.screen(a).text(); a.Status != http.StatusConflict || !strings.Contains(text, "{brand}: первый текст") || !strings.Contains(text, "Ваш текст не сохранён") {
				t.Errorf("%d: %s", a.Status, text)
			}
			if admin.typed(a, "body") != "{brand}: второй текст" || admin.typed(a, "version") != "1" {
				t.Errorf("the form holds %q from version %s", admin.typed(a, "body"), admin.typed(a, "version"))
			}
		}
		// What is shown or tried meanwhile goes on from where it was.
		a := admin.do(http.MethodPost, stoppedText+"/preview", nil, withFields(older, "body", "{brand}: второй текст"))
		if a.Status != http.StatusOK || admin.typed(a, "version") != "0" || admin.typed(a, "body") != "{brand}: второй текст" {
			t.Errorf("shown: %d, version %s", a.Status, admin.typed(a, "version"))
		}
		a = admin.do(http.MethodPost, stoppedText, nil, withFields(older, "body", "{brand}: второй текст", "version", "1"))
		admin.goesTo(a, stoppedText+"?saved=yes")
		admin.goesTo(admin.do(http.MethodPost, stoppedText, nil, withFields(older, "body", "{brand}: второй текст")), stoppedText+"?saved=same")
		if text := admin.screen(admin.get("/templates")).text(); !strings.Contains(text, "{brand}: второй текстверсия 2 · 1 SMS") {
			t.Errorf("the list: %s", text)
		}
		if text := admin.screen(admin.get(stoppedText + "?saved=%3Cb%3E")).text(); strings.Contains(text, "Сохранено") {
			t.Errorf("a made-up address: %s", text)
		}
	})
}

// The preview follows what is typed: alone for htmx, within the page without a
// script.
func TestTemplatePreview(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir(), "SMS_GATEWAYS=kannel,handset", "KANNEL_URL=http://127.0.0.1:9/", "KANNEL_USER=u", "KANNEL_PASSWORD=p", "KANNEL_FROM=Shop", "KANNEL_PART_PRICE=350")
	admin := inspect(p.as("admin"))
	const path = "/templates/1/code/ru"
	part := func(body string) (answer, string) {
		a := admin.part(path+"/preview", "version", "0", "body", body)
		formCase{section: "template-preview"}.isPart(t, admin, a, body)
		return a, admin.screen(a).text()
	}
	a, text := part("{code} — ваш код")
	for _, want := range []string{"0000 — ваш код @127.0.0.1 #0000", "Знаков31", "Займёт1 SMS", "ещё 39 знаков", "Стоимость3,50 ₽", "Кириллица"} {
		if a.Status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%d, without %q: %s", a.Status, want, text)
		}
	}
	if _, text := part("{code} is your code"); !strings.Contains(text, "Латиница") || !strings.Contains(text, "ещё 126 знаков") {
		t.Errorf("in Latin letters: %s", text)
	}
	if a, text := part("{code"); a.Status != http.StatusUnprocessableEntity || !strings.Contains(text, "У скобки здесь нет пары: «{code»") {
		t.Errorf("half typed: %d, %s", a.Status, text)
	}
	a = admin.post(path+"/preview", "version", "0", "body", "{code} — ваш код", "phone", "916")
	if !strings.HasPrefix(a.Body, "<!doctype html>") || admin.typed(a, "body") != "{code} — ваш код" || admin.typed(a, "phone") != "916" || !strings.Contains(admin.screen(a).text(), "0000 — ваш код") {
		t.Errorf("without a script: %d, %s", a.Status, a.Body)
	}
	// The Enter key presses the first button of a form: it must only show.
	form := find(admin.screen(a).root, withAttr("action", path))[0]
	if first := find(form, tag("button"))[0]; attr(first, "formaction") != path+"/preview" {
		t.Errorf("the first button is %q", textOf(first))
	}
	for _, made := range []string{"/templates/9/code/ru", "/templates/1/other/ru", "/templates/1/code/de", "/templates/x/code/ru", "/templates/1/code"} {
		if a := admin.get(made); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", made, a.Status)
		}
	}
}

// A link that something sticks to is told in words that say what to do, while
// it is typed and after it was saved; it stands in the way of nothing.
func TestTemplateLinkApart(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		admin := inspect(p.as("admin"))
		const path = "/templates/1/trial/ru"
		const behind, before = "Сразу после {link} стоит ", "Прямо перед {link} стоит "
		preview := func(body string) string {
			t.Helper()
			a := admin.part(path+"/preview", "version", "0", "body", body)
			if a.Status != http.StatusOK {
				t.Errorf("%q: %d", body, a.Status)
			}
			return admin.screen(a).text()
		}
		for body, want := range map[string]string{
			"{promo} {link}.":         behind + "«.»: телефон может принять это за часть ссылки, и страница покупателя не откроется. Поставьте после {link} пробел или перенос строки.",
			"{promo} ({link}), ждём!": behind + "«)»",
			"{promo} {link}{brand}":   behind + "«{brand}»",
			"{promo} тут{link}":       before + "«т»: телефон может не узнать ссылку. Поставьте перед {link} пробел или перенос строки.",
		} {
			if text := preview(body); !strings.Contains(text, want) {
				t.Errorf("%q, without %q: %s", body, want, text)
			}
		}
		for _, body := range []string{"{promo} {link}", "{promo}: {link} .", "{promo}\r\n{link}\r\nЖдём!", "{promo}."} {
			if text := preview(body); strings.Contains(text, behind) || strings.Contains(text, before) {
				t.Errorf("%q: %s", body, text)
			}
		}
		// The texts that the program brings are not warned of.
		for _, kind := range []string{"referral", "trial", "gift"} {
			for _, language := range []string{"ru", "en"} {
				if text := admin.screen(admin.get("/templates/1/" + kind + "/" + language)).text(); strings.Contains(text, behind) || strings.Contains(text, before) || !strings.Contains(text, "{link}") {
					t.Errorf("%s in %s: %s", kind, language, text)
				}
			}
		}
		admin.goesTo(admin.send(path, path, "body", "{promo} {link}!"), path+"?saved=yes")
		if text := admin.screen(admin.get(path + "?saved=yes")).text(); !strings.Contains(text, "Сохранено") || !strings.Contains(text, behind+"«!»") {
			t.Errorf("after saving: %s", text)
		}
	})
}

// A trial goes to one's own phone once, is told, is limited, and leaves no
// phone behind.
func TestTemplateTrial(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "LOG_LEVEL=debug")...)
		db := openData(t, env)
		admin := inspect(p.as("admin"))
		const action, phone = stoppedText + "/trials", "+7 916 123-66-77"
		form := admin.screen(admin.get(stoppedText)).form(action)
		try := func(n int) answer {
			return admin.do(http.MethodPost, action, asPart, withFields(form, "phone", phone, "body", fmt.Sprintf("{brand}, проба %02d", n)))
		}
		for n := range 10 {
			a := try(n)
			if a.Status != http.StatusOK || !strings.Contains(a.Body, "SMS взял демо-шлюз") || admin.typed(a, "phone") != phone || admin.typed(a, "version") != "0" {
				t.Fatalf("trial %d: %d\n%s", n, a.Status, a.Body)
			}
			if n == 0 {
				// The same form again sends nothing; the one that came back does.
				if a = try(n); a.Status != http.StatusConflict || !strings.Contains(a.Body, "Это SMS уже отправляли") {
					t.Errorf("twice: %d\n%s", a.Status, a.Body)
				}
			}
			next := admin.typed(a, "request_id")
			if next == form.Get("request_id") {
				t.Fatal("the form that came back is the same")
			}
			form.Set("request_id", next)
		}
		a := try(10)
		if wait := a.Header.Get("Retry-After"); a.Status != http.StatusTooManyRequests || wait == "" || !strings.Contains(a.Body, "Вы отправили себе 10 SMS за час") || admin.typed(a, "body") != "{brand}, проба 10" {
			t.Errorf("the eleventh: %d, Retry-After %q\n%s", a.Status, wait, a.Body)
		}
		const kept = `SELECT count(*), min(body), max(body), min(state), max(state), max(gateway), min(kind) FROM messages
			WHERE channel = 'service' AND contact_id IS NULL AND visit_id IS NULL`
		if got := db.one(kept); got != "10 | Аура, проба 00 | Аура, проба 09 | delivered | delivered | handset | stopped" {
			t.Errorf("kept: %s", got)
		}
		if text := admin.screen(admin.get("/handset")).text(); strings.Contains(text, "проба") {
			t.Errorf("a trial stands on the handset: %s", text)
		}
		for where, text := range map[string]string{"the database": db.dump(true), "Redis": redisDump(t, env), "the output": p.out.String()} {
			if strings.Contains(text, "9161236677") || strings.Contains(text, "123-66-77") {
				t.Errorf("the phone stands in %s", where)
			}
		}
		if strings.Contains(p.out.String(), "проба") {
			t.Error("the text stands in the output")
		}
	})
}

// Every text in both languages of the interface; the client holds each page
// against the rules of all pages.
func TestTemplatePages(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	p := start(t, "DATA_DIR="+t.TempDir())
	admin := inspect(p.as("admin"))
	for _, language := range []string{"ru", "en"} {
		admin.goesTo(admin.post("/language", "language", language, "back", "/templates"), "/templates")
		texts := 0
		for _, link := range find(admin.screen(admin.get("/templates")).root, tag("a")) {
			path := attr(link, "href")
			if !strings.HasPrefix(path, "/templates/") {
				continue
			}
			texts++
			a := admin.get(path)
			if a.Status != http.StatusOK || !strings.Contains(a.Body, `<html lang="`+language+`"`) || admin.typed(a, "body") == "" {
				t.Errorf("%s: %d", path, a.Status)
			}
			// What the program brings is in order.
			admin.goesTo(admin.send(path, path), path+"?saved=same")
		}
		if texts != 14 {
			t.Errorf("%d texts", texts)
		}
	}
}

// While somebody types, the phone beside it follows and the cursor stays where
// it is; the Enter key in the phone field sends and saves nothing.
func TestTemplateWhileTypingInABrowser(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	browser(t)
	env := []string{"DATA_DIR=" + t.TempDir(), "LOG_LEVEL=warn"}
	p := start(t, env...)
	db := openData(t, env)
	w := newWindow(t, p.URL)
	w.open("/sign-in")
	w.fill("Логин", "admin")
	w.fill("Пароль", demoPassword)
	w.press("Войти")
	w.at("Визиты")
	w.open(stoppedText)
	w.fill("Текст", "{brand}: пока не пишем")
	w.see("Аура: пока не пишем")
	w.key(" {")
	w.see("Показать пока нечего: У скобки здесь нет пары")
	w.key("brand}!")
	w.see("Аура: пока не пишем Аура!")
	if got := w.value("Текст"); got != "{brand}: пока не пишем {brand}!" {
		t.Errorf("the field holds %q", got)
	}
	w.fill("Свой телефон", "9161236677")
	w.key(kb.Enter)
	w.until("show by the Enter key", func() error {
		if focus, err := eval[string](w, "document.activeElement.id"); err != nil || focus != "template-preview-title" {
			return fmt.Errorf("the focus is on %q (%w)", focus, err)
		}
		return nil
	})
	if got := db.one(`SELECT (SELECT count(*) FROM message_templates) + (SELECT count(*) FROM messages WHERE channel = 'service')`); got != "0" {
		t.Errorf("%s rows were written by the Enter key", got)
	}
	w.press("Отправить себе")
	w.see("SMS взял демо-шлюз")
	if got := w.value("Свой телефон"); got != "+7 916 123-66-77" {
		t.Errorf("the phone field holds %q", got)
	}
	w.press("Сохранить")
	w.see("С этой минуты SMS уходят с новым текстом")
	w.press("Вернуть: исходный текст")
	w.see("Русский, версия 2")

	// The same without a script.
	w = newWindow(t, p.URL).withoutScripts()
	w.open("/sign-in")
	w.fill("Логин", "admin")
	w.fill("Пароль", demoPassword)
	w.press("Войти")
	w.at("Визиты")
	w.open(stoppedText)
	w.fill("Текст", "{brand}: совсем не пишем")
	w.press("Показать")
	w.see("Аура: совсем не пишем")
	w.fill("Свой телефон", "9161236677")
	w.press("Отправить себе")
	w.see("SMS взял демо-шлюз")
	w.press("Сохранить")
	w.see("С этой минуты SMS уходят с новым текстом", "Русский, версия 3")
}
