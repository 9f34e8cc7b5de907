package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

var ownPage = regexp.MustCompile(`/m/[\w-]+`)

// buys serves a customer who buys, sends them tomorrow's message now, and gives
// the address that stands in it.
func (c *client) buys(p *program, db data, phone, promo string) (visit, page string) {
	c.t.Helper()
	visit = c.walk(p, customer{phone: phone, promo: promo, name: "Аполлинария"}, domain.StepOutcome)
	c.goesTo(c.purchase(visit), visit+"/summary")
	id := db.one(`SELECT id FROM messages WHERE channel = 'programme' AND kind = 'referral' AND visit_id = $1`, idOf(visit))
	c.post("/handset/messages/" + id + "/sendings")
	if page = ownPage.FindString(db.one(`SELECT body FROM messages WHERE id = $1`, id)); page == "" {
		c.t.Fatal("the SMS leads nowhere")
	}
	return visit, page
}

// weight is what a browser loads for a page, uncompressed, in bytes.
func (c *client) weight(path string) int {
	c.t.Helper()
	a := c.get(path)
	total := len(a.Body)
	for _, n := range find(c.screen(a).root, func(n *html.Node) bool {
		return n.Data == "img" || n.Data == "script" || n.Data == "link" && attr(n, "rel") == "stylesheet"
	}) {
		part := c.get(cmp.Or(attr(n, "src"), attr(n, "href")))
		if part.Status != http.StatusOK || len(part.Body) == 0 {
			c.t.Errorf("%s%s: %d", attr(n, "src"), attr(n, "href"), part.Status)
		}
		if css := part.Body; n.Data == "link" && (strings.Contains(css, "url(") || strings.Contains(css, "@import")) {
			c.t.Errorf("the style sheet loads more")
		}
		total += len(part.Body)
	}
	return total
}

func TestCustomersPage(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "MESSAGES_PER_WEEK=100")...)
		db := openData(t, env)
		anna, guest := inspect(p.as("anna")), inspect(p.client())
		const phone = "+79165400001"
		visit, page := anna.buys(p, db, phone, "")
		code := db.one(`SELECT p.code FROM promo_codes p JOIN contacts c ON c.id = p.owner_id WHERE c.phone = $1`, phone)
		friends := []string{"+79165400002", "+79165400003", "+79165400004"}
		see := func(path string, texts ...string) {
			t.Helper()
			a := guest.get(path)
			text := guest.screen(a).text()
			for _, want := range texts {
				if a.Status != http.StatusOK || !strings.Contains(text, want) {
					t.Errorf("%s: %d, no %q in\n%s", path, a.Status, want, text)
				}
			}
			// Nobody's number stands here in full, and no friend's at all.
			for _, number := range append(friends, phone) {
				if strings.Contains(strings.Join(strings.FieldsFunc(a.Body, func(r rune) bool { return r < '0' || r > '9' }), ""), number[2:]) {
					t.Errorf("%s shows %s", path, number)
				}
			}
			if a.Header.Get("Cache-Control") != "no-store" || len(a.Header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s: %q, %q", path, a.Header.Get("Cache-Control"), a.Header.Values("Set-Cookie"))
			}
		}
		see(page, domain.FormatPromoCode(code), "Друзей воспользовалось: 0 из 3", "Действует до", "Когда купят 3 друга", "Не присылать сообщения", "подтверждено кодом из SMS")
		for _, friend := range friends {
			anna.buys(p, db, friend, code)
		}
		see(page, "Вас ждёт подарок", "Все 3 друга уже воспользовались")
		if n := guest.weight(page); n >= 60_000 {
			t.Errorf("the page weighs %d bytes", n)
		} else {
			t.Logf("with everything: %d bytes", n)
		}
		_, live := anna.buys(p, db, "+79165400005", "")
		n := guest.weight(live)
		t.Logf("with a code to share: %d bytes", n)
		if n >= 60_000 {
			t.Errorf("the page with a QR weighs %d bytes", n)
		}
		// A code of somebody else is nobody's here.
		id := db.one(`SELECT id FROM promo_codes WHERE code = $1`, code)
		if a := guest.get(live + "/codes/" + id + "/qr"); a.Status != http.StatusNotFound {
			t.Errorf("the QR of another's code: %d", a.Status)
		}

		t.Run("my data", func(t *testing.T) {
			guest.goesTo(guest.post(page+"/data-requests"), page+"/data")
			guest.goesTo(guest.post(page+"/data-requests"), page+"/data")
			see(page+"/data", "Аполлинария", "•••-••-01", "Европейский", domain.FormatPromoCode(code), "Промокод для друзей", "показать данные")
			// Somebody who gave another name that time reads both.
			db.exec(`UPDATE visits SET customer_name = 'Полина' WHERE id = $1`, idOf(visit))
			see(page+"/data", "Имя в тот раз: Полина")
			if got := db.rows(`SELECT e.kind, e.source FROM contact_events e`); len(got) != 1 || got[0] != "asked | page" {
				t.Errorf("recorded %q", got)
			}
		})
		t.Run("stop", func(t *testing.T) {
			see(page+"/stop", "Больше не присылать вам сообщения?")
			guest.goesTo(guest.post(page+"/stop"), page+"/stop")
			guest.goesTo(guest.post(page+"/stop"), page+"/stop")
			see(page+"/stop", "больше не пишем")
			see(page, "Мы вам больше не пишем", "отозвано")
			if got := db.rows(`SELECT c.source, c.given FROM consents c JOIN contacts k ON k.id = c.contact_id WHERE k.phone = $1 AND c.source <> 'visit'`, phone); len(got) != 1 {
				t.Errorf("withdrawals: %q", got)
			}
			// The message of the gift was still to come.
			if got := db.rows(`SELECT m.state, m.reason FROM messages m JOIN contacts k ON k.id = m.contact_id WHERE k.phone = $1 AND m.kind = 'gift'`, phone); len(got) != 1 || got[0] != "cancelled | stopped" {
				t.Errorf("the gift's message: %q", got)
			}
		})
		t.Run("erase", func(t *testing.T) {
			see(page+"/erasure", "Что исчезнет навсегда", "подарок, который вас ждёт", "•••-••-01")
			before := db.dump(false)
			for _, bad := range []badInput{
				{pairs: []string{"phone", ""}, faults: []string{"phone", "sure"}},
				{pairs: []string{"phone", phone}, faults: []string{"sure"}, kept: map[string]string{"phone": phone}},
				{pairs: []string{"phone", "12", "sure", "yes"}, faults: []string{"phone"}, kept: map[string]string{"phone": "12", "sure": "yes"}},
				{pairs: []string{"phone", friends[0], "sure", "yes"}, faults: []string{"phone"}, kept: map[string]string{"phone": friends[0], "sure": "yes"}},
			} {
				bad.holds(t, guest, guest.send(page+"/erasure", page+"/erasure", bad.pairs...), fmt.Sprint(bad.pairs))
			}
			if a := guest.do(http.MethodPost, page+"/erasure", http.Header{"Sec-Fetch-Site": {"cross-site"}}, form("sure", "yes", "phone", phone)); a.Status != http.StatusForbidden {
				t.Errorf("from another site: %d", a.Status)
			}
			if after := db.dump(false); after != before {
				t.Errorf("it left a trace:\n%s", difference(before, after))
			}
			guest.goesTo(guest.send(page+"/erasure", page+"/erasure", "sure", "yes", "phone", "8 (916) 540-00-01"), "/m/erased")
			see("/m/erased", "Ваши данные удалены")
			dump := db.dump(true)
			for _, trace := range []string{phone[1:], phone[2:], strings.TrimPrefix(page, "/m/")} {
				if strings.Contains(dump, trace) {
					t.Errorf("%s is left in the database", trace)
				}
			}
			if err := check(t.Context(), env, newOutput()); err != nil {
				t.Error(err)
			}
			vera := inspect(p.as("vera"))
			if text := vera.screen(vera.get("/messages")).text(); strings.Contains(text, "+0") || !strings.Contains(text, "данные удалены") {
				t.Errorf("the messages show a number that is nobody's:\n%s", text)
			}
			if text := vera.screen(vera.get("/promo-codes/" + id)).text(); !strings.Contains(text, "данные удалены") || !strings.Contains(text, "владелец удалил свои данные") {
				t.Errorf("the supervisor reads\n%s", text)
			}
		})
		t.Run("nobody's page", func(t *testing.T) {
			before, want := db.dump(false), ""
			for _, try := range []string{strings.TrimPrefix(page, "/m/"), domain.RandomToken(16), "x", strings.Repeat("A", 3000), "%00", "%ff%fe", "..%2fvisits"} {
				for i, a := range []answer{
					guest.get("/m/" + try), guest.get("/m/" + try + "/data"), guest.get("/m/" + try + "/stop"), guest.get("/m/" + try + "/erasure"),
					guest.post("/m/" + try + "/stop"), guest.post("/m/" + try + "/data-requests"), guest.post("/m/"+try+"/erasure", "sure", "yes", "phone", phone),
				} {
					got := wayBack.ReplaceAllString(a.Body, "")
					want = cmp.Or(want, got)
					if a.Status != http.StatusNotFound || got != want {
						t.Errorf("%.30s, %d: %d\n%s", try, i, a.Status, difference(want, got))
					}
				}
			}
			if after := db.dump(false); after != before {
				t.Errorf("it left a trace:\n%s", difference(before, after))
			}
		})
	})
}

// The page on a phone, with scripts and without.
func TestCustomersPageInABrowser(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	env := []string{"DATA_DIR=" + t.TempDir()}
	p := start(t, env...)
	db := openData(t, env)
	anna := inspect(p.as("anna"))
	for n, scripts := range []bool{true, false} {
		phone := fmt.Sprintf("+7916550000%d", n)
		_, page := anna.buys(p, db, phone, "")
		w := newWindow(t, p.URL)
		if !scripts {
			w = w.withoutScripts()
		}
		w.dress(390, 844, "light")
		w.open(page)
		w.see("Для друзей: скидка 15", "Отправить другу")
		w.until("see the QR", func() error {
			seen, err := eval[bool](w, `document.querySelector("img.qr").naturalWidth > 100`)
			if err == nil && !seen {
				err = errors.New("no picture")
			}
			return err
		})
		// A small phone with the letters that it has.
		for _, path := range []string{page + "/erasure", page + "/data", page} {
			w.open(path)
			w.dress(320, 568, "dark")
			found, err := eval[looks](w, judge)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range slices.Concat(found.Texts, found.Targets, found.Overflow) {
				t.Errorf("%s: %s", strings.Replace(path, page, "/m/…", 1), fault)
			}
		}
		w.press("Не присылать сообщения")
		w.see("Больше не присылать вам сообщения?")
		w.press("Не присылать сообщения")
		w.see("Готово, больше не пишем")
		w.press("Вернуться к промокодам")
		w.see("Мы вам больше не пишем")
		w.press("Что вы обо мне храните")
		w.see("Что мы о вас храним", "Аполлинария")
		w.press("Вернуться к промокодам")
		w.press("Удалить мои данные")
		w.see("Удалить ваши данные?")
		w.press("Удалить мои данные")
		w.see(russian(t, "customer.tick"))
		w.fill("Ваш номер телефона", phone)
		w.choose("Да, удалить навсегда")
		w.press("Удалить мои данные")
		w.see("Ваши данные удалены")
		w.open(page)
		w.see("Эта страница больше не действует")
	}
}

// walkCustomer shows the customer's own pages.
func walkCustomer(t *testing.T, p *program, db data, show look) {
	anna := inspect(p.as("anna"))
	const phone = "+79168000041"
	_, page := anna.buys(p, db, phone, "")
	c := newWindow(t, p.URL)
	c.open(page)
	c.see("Для друзей: скидка 15")
	show("customer", c)
	c.press("Что вы обо мне храните")
	c.see("Что мы о вас храним")
	show("customer-data", c)
	c.open(page + "/stop")
	c.see("Больше не присылать вам сообщения?")
	show("customer-stop", c)
	c.press("Не присылать сообщения")
	c.see("Готово, больше не пишем")
	show("customer-stopped", c)
	code := db.one(`SELECT p.code FROM promo_codes p JOIN contacts k ON k.id = p.owner_id WHERE k.phone = $1`, phone)
	for n := range 3 {
		_, friend := anna.buys(p, db, fmt.Sprintf("+7916800005%d", n), code)
		if n == 0 {
			db.exec(`UPDATE promo_codes SET state = 'frozen' WHERE source_visit_id = (SELECT max(id) FROM visits)`)
			c.open(friend)
			c.see("временно остановлен")
			show("customer-frozen", c)
		}
	}
	c.open(page)
	c.see("Вас ждёт подарок")
	c.unfold("Согласие на обработку персональных данных дано")
	show("customer-gift", c)
	c.open(page + "/erasure")
	c.see("Удалить ваши данные?")
	show("customer-erasure", c)
	c.fill("Ваш номер телефона", "+7 916 800-00-42")
	c.press("Удалить мои данные")
	c.see(russian(t, "customer.tick"))
	c.choose("Да, удалить навсегда")
	c.press("Удалить мои данные")
	c.see("Это другой номер")
	show("customer-erasure-fault", c)
	c.fill("Ваш номер телефона", phone)
	c.press("Удалить мои данные")
	c.see("Ваши данные удалены")
	show("customer-erased", c)
	c.open(page)
	c.at(atSelfGone)
	show("customer-gone", c)
}
