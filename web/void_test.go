package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"prilavok/domain"
)

// says fails unless the page answers with a text of the catalogue.
func (c *client) says(path, key string) {
	c.t.Helper()
	a := c.get(path)
	if text := c.screen(a).text(); a.Status != http.StatusOK || !strings.Contains(text, russian(c.t, key)) {
		c.t.Errorf("GET %s (%d) does not say %q:\n%s", path, a.Status, russian(c.t, key), text)
	}
}

// A supervisor reads what will be gone, gives the reason, and finds it again
// wherever the purchase is told of.
func TestVoid(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "CODE_RESEND_AFTER=1s")...)
		db := openData(t, env)
		advisor, vera := inspect(p.as("anna")), inspect(p.as("vera"))
		code := digits(p.promoCode())
		visit := advisor.walk(p, customer{phone: "+79167000001", promo: code}, domain.StepOutcome)
		advisor.goesTo(advisor.purchase(visit), visit+"/summary")
		own := db.one(`SELECT code FROM promo_codes WHERE source_visit_id = $1`, idOf(visit))
		friend := advisor.walk(p, customer{phone: "+79167000002", promo: own}, domain.StepOutcome)
		advisor.goesTo(advisor.purchase(friend), friend+"/summary")
		advisor.walk(p, customer{phone: "+79167000003", promo: own}, domain.StepOutcome) // only held

		vera.says(visit, "void.open")
		page := vera.get(visit + "/void")
		for _, want := range []string{
			"перестанет действовать", "По нему уже купил 1 друг", "Ещё 1 друг применяет его прямо сейчас",
			"SMS «Промокод для друзей»", "снова сможет воспользоваться", own[6:], code[6:], "•••-••-01",
		} {
			if text := vera.screen(page).text(); !strings.Contains(text, want) {
				t.Errorf("the page does not say %q:\n%s", want, text)
			}
		}
		for _, secret := range []string{own, code, domain.FormatPromoCode(own), domain.FormatPromoCode(code), "9167000001", "700-00-01"} {
			if strings.Contains(page.Body, secret) {
				t.Errorf("the page tells %s", secret)
			}
		}
		const why = "Товар вернули, <касса> 2"
		vera.goesTo(vera.send(visit+"/void", visit+"/void", "reason", why), visit)
		// Once more, from a page that stood open, and by its address.
		vera.goesTo(vera.post(visit+"/void", "reason", "Другая причина"), visit)
		vera.goesTo(vera.get(visit+"/void"), visit)

		history := vera.screen(vera.get(visit)).text()
		for _, want := range []string{why, "Вера Соколова", russian(t, "void.badge"), russian(t, "history.event.voided"), russian(t, "void.not_counted"), russian(t, "history.use_returned"), russian(t, "message.reason.voided")} {
			if !strings.Contains(history, want) {
				t.Errorf("the history does not say %q:\n%s", want, history)
			}
		}
		if strings.Contains(history, russian(t, "void.open")) {
			t.Error("a voided purchase can be voided again")
		}
		vera.says("/visits", "void.badge")
		advisor.says(visit+"/summary", "void.voided")
		advisor.says(visit+"/summary", "summary.why.voided")
		if got := db.one(`SELECT state FROM promo_codes WHERE code = $1`, own); got != "void" {
			t.Errorf("the buyer's code is %s", got)
		}
		if got := db.one(`SELECT used FROM promo_codes WHERE code = $1`, code); got != "0" {
			t.Errorf("%s uses of the friend's code", got)
		}
	})
}

// Three friends buy, the owner comes back: the gift waits behind the phone's
// answer, is handed over once, and is told of in both visits' histories.
func TestGift(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "CODE_RESEND_AFTER=1s")...)
		db := openData(t, env)
		c, vera := inspect(p.as("anna")), inspect(p.as("vera"))
		const owner = "+79000000001" // of the demo's code
		var third string
		for n := range 3 {
			third = c.walk(p, customer{phone: fmt.Sprintf("+7916700010%d", n), promo: p.promoCode()}, domain.StepOutcome)
			c.goesTo(c.purchase(third), third+"/summary")
		}
		vera.says(third, "history.event.gift_earned")
		vera.says(third, "message.kind.gift")
		if text := c.screen(c.get(third + "/summary")).text(); strings.Contains(strings.ToLower(text), "подар") {
			t.Errorf("a friend's summary tells of the owner's gift:\n%s", text)
		}
		p.client().post("/handset/messages/" + db.one(`SELECT id FROM messages WHERE kind = 'gift'`) + "/sendings")
		if texts := p.texts(owner); len(texts) == 0 || !strings.Contains(texts[0], "чехол «Аура»") || !strings.Contains(texts[0], p.promoCode()) {
			t.Errorf("the owner has got %q", texts)
		}

		stranger := c.walk(p, customer{phone: owner, unverified: true}, domain.StepOutcome)
		for _, step := range []string{"/code", "/outcome"} {
			if text := c.screen(c.get(stranger + step)).text(); strings.Contains(strings.ToLower(text), "подар") {
				t.Errorf("%s tells whoever names the number:\n%s", step, text)
			}
		}
		gift := db.one(`SELECT id FROM gifts`)
		if a := c.post(stranger+"/gifts", "gift", gift); a.Status != http.StatusConflict {
			t.Errorf("without the phone's answer: %d", a.Status)
		}
		var visits []string
		for range 2 {
			visits = append(visits, c.walk(p, customer{phone: owner}, domain.StepOutcome))
		}
		for _, step := range []string{"/code", "/outcome"} {
			c.says(visits[0]+step, "gift.collect")
		}
		for _, made := range []string{"", "x", "0", "999999"} {
			if a := c.post(visits[0]+"/gifts", "gift", made); a.Status != http.StatusNotFound {
				t.Errorf("the gift %q: %d", made, a.Status)
			}
		}
		form := c.screen(c.get(visits[1] + "/outcome")).form(visits[1] + "/gifts") // on another tablet
		c.goesTo(c.send(visits[0]+"/code", visits[0]+"/gifts"), visits[0]+"/code")
		c.says(visits[0]+"/code", "gift.collected_body")
		a := c.do(http.MethodPost, visits[1]+"/gifts", nil, form.Encode())
		if a.Status != http.StatusConflict || !strings.Contains(c.screen(a).text(), russian(t, "gift.gone")) {
			t.Errorf("a second time: %d\n%s", a.Status, c.screen(a).text())
		}
		c.goesTo(c.send(visits[0]+"/outcome", visits[0]+"/outcome", "outcome", "left"), visits[0]+"/summary")
		c.says(visits[0]+"/summary", "gift.collected_body")
		vera.says(visits[0], "history.event.gift_collected")
		if got := db.rows(`SELECT state, collected_visit_id FROM gifts`); len(got) != 1 || got[0] != "collected | "+idOf(visits[0]) {
			t.Errorf("gifts: %q", got)
		}
	})
}
