package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"prilavok/domain"
)

// refused sends a code at the promo step and fails unless it is refused for
// this reason: in words, at its field, with what was typed kept, and on record.
func (c *client) refused(db data, visit, typed string, why domain.Reason) {
	c.t.Helper()
	a := c.send(visit+"/promo", visit+"/promo", "promo", typed)
	s := c.screen(a)
	if a.Status != http.StatusUnprocessableEntity {
		c.t.Errorf("%s: %d → %q", why, a.Status, a.Location)
		return
	}
	if n := s.byID("promo-error"); n == nil || !strings.HasSuffix(textOf(n), russian(c.t, "promo.refused."+string(why))) {
		c.t.Errorf("%s is told as: %s", why, s.text())
	}
	if got := typedIn(s, "promo"); got != typed {
		c.t.Errorf("%s: the field holds %q, want %q", why, got, typed)
	}
	got := db.rows(`SELECT reason, staff_id, store_id FROM promo_refusals WHERE visit_id = $1 ORDER BY id DESC LIMIT 1`, idOf(visit))
	if want := db.one(`SELECT advisor_id, store_id FROM visits WHERE id = $1`, idOf(visit)); !slices.Equal(got, []string{string(why) + " | " + want}) {
		c.t.Errorf("%s is on record as %q", why, got)
	}
	// Nothing stands in the way of going on without it.
	c.goesTo(c.post(visit+"/promo", "go", "on", "promo", typed, "refused", typed), visit+"/outcome")
}

// asked asks about a code on the quick page.
func (c *client) asked(typed string) string {
	c.t.Helper()
	a := c.send("/promo-check", "/promo-check", "promo", typed)
	if a.Status != http.StatusOK {
		c.t.Fatalf("promo check of %q: %d", typed, a.Status)
	}
	return textOf(c.screen(a).byID("promo-check"))
}

func TestPromoRefusals(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "CODE_RESEND_AFTER=1s")...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		code := digits(p.promoCode())
		n := 0
		step := func(who customer) string {
			n++
			if who.phone == "" {
				who.phone = fmt.Sprintf("+791660000%02d", n)
			}
			return c.walk(p, who, domain.StepPromo)
		}

		visit := step(customer{})
		for _, typed := range []string{"123", code[:9], code + "0", code[:9] + "a", "+7 916 600-00-01", "скидка"} {
			c.refused(db, visit, typed, domain.ReasonMalformed)
		}
		// Nine of the ten last digits are a slip of the finger; the tenth
		// makes a code that nobody has.
		unknown, typos := "", 0
		for last := range 10 {
			typed := fmt.Sprintf("%s%d", strings.Replace(code[:9], code[4:5], string((code[4]-'0'+1)%10+'0'), 1), last)
			switch text := c.asked(typed); {
			case strings.Contains(text, russian(t, "promo.refused.typo")):
				typos++
				c.refused(db, visit, typed, domain.ReasonTypo)
			case strings.Contains(text, russian(t, "promo.refused.unknown")):
				unknown = typed
			}
		}
		if typos != 9 || unknown == "" {
			t.Fatalf("%d typos, unknown code %q", typos, unknown)
		}
		c.refused(db, visit, unknown, domain.ReasonUnknown)

		c.refused(db, step(customer{unverified: true}), code, domain.ReasonUnverified)
		c.refused(db, step(customer{silent: true}), code, domain.ReasonUnverified)
		c.refused(db, step(customer{phone: "+79000000001"}), code, domain.ReasonOwnCode)

		// An anonymous visit has no such step; a forged form is led back.
		anonymous := c.walk(p, customer{anonymous: true}, domain.StepOutcome)
		c.goesTo(c.post(anonymous+"/promo", "promo", code), anonymous+"/outcome")
		if got := db.rows(`SELECT * FROM redemptions WHERE visit_id = $1`, idOf(anonymous)); len(got) > 0 {
			t.Errorf("an anonymous visit holds %q", got)
		}

		for _, state := range []struct {
			set, back string
			why       domain.Reason
		}{
			{`UPDATE promo_codes SET state = 'frozen' WHERE code = $1`, `UPDATE promo_codes SET state = 'active' WHERE code = $1`, domain.ReasonFrozen},
			{`UPDATE promo_codes SET state = 'void' WHERE code = $1`, `UPDATE promo_codes SET state = 'active' WHERE code = $1`, domain.ReasonVoid},
			{`UPDATE promo_codes SET expires_at = created_at WHERE code = $1`, `UPDATE promo_codes SET expires_at = NULL WHERE code = $1`, domain.ReasonExpired},
			{`UPDATE programmes SET discounts_on = (1 = 0) WHERE $1 <> ''`, `UPDATE programmes SET discounts_on = (1 = 1) WHERE $1 <> ''`, domain.ReasonDiscountOff},
			{`UPDATE promo_codes SET used = max_uses WHERE code = $1`, `UPDATE promo_codes SET used = 0 WHERE code = $1`, domain.ReasonUsedUp},
		} {
			db.exec(state.set, code)
			c.refused(db, visit, code, state.why)
			if text := c.asked(code); !strings.Contains(text, russian(t, "promo.refused."+string(state.why))) {
				t.Errorf("the quick page says of a code that is %s: %s", state.why, text)
			}
			db.exec(state.back, code)
		}

		// A trial code is for its owner alone.
		trial := c.walk(p, customer{phone: "+79166100001"}, domain.StepOutcome)
		c.goesTo(c.send(trial+"/outcome", trial+"/outcome", "outcome", "trial"), trial+"/summary")
		trialCode := db.one(`SELECT code FROM promo_codes WHERE source_visit_id = $1`, idOf(trial))
		c.refused(db, visit, trialCode, domain.ReasonNotOwner)
		owner := step(customer{phone: "+79166100001"})
		c.goesTo(c.send(owner+"/promo", owner+"/promo", "promo", trialCode), owner+"/promo")

		// A phone takes one code of the programme, and an old one does not
		// come back with a new visit.
		bought := c.walk(p, customer{phone: "+79166100003", promo: code[:3] + "-" + code[3:6] + " " + code[6:]}, domain.StepOutcome)
		c.goesTo(c.purchase(bought), bought+"/summary")
		c.refused(db, step(customer{phone: "8 916 610 00 03"}), code, domain.ReasonPhoneUsed)
	})
}

// Three friends may use the code. A use is held for a visit, so that the last
// one is not promised at two tills.
func TestPromoHolds(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		code := digits(p.promoCode())
		c, other := inspect(p.as("anna")), inspect(p.as("timur"))
		var visits []string
		for n := range 3 {
			visits = append(visits, c.walk(p, customer{phone: fmt.Sprintf("+7916620000%d", n), promo: code}, domain.StepOutcome))
		}
		late := other.walk(p, customer{phone: "+79166200009"}, domain.StepPromo)
		used := func(want string) {
			t.Helper()
			if got := db.one(`SELECT used FROM promo_codes WHERE code = $1`, code); got != want {
				t.Errorf("%s uses are counted, want %s", got, want)
			}
		}
		used("3")
		other.refused(db, late, code, domain.ReasonAllHeld)
		if text := c.asked(code); !strings.Contains(text, russian(t, "promo.refused.all_held")) {
			t.Errorf("the quick page: %s", text)
		}
		used("3")

		// One buys, one leaves: the use of the one who left is free again.
		c.goesTo(c.purchase(visits[0]), visits[0]+"/summary")
		c.goesTo(c.send(visits[1]+"/outcome", visits[1]+"/outcome", "outcome", "left"), visits[1]+"/summary")
		used("2")
		other.goesTo(other.send(late+"/promo", late+"/promo", "promo", code), late+"/promo")
		used("3")

		// The code is taken off and put on again.
		third := visits[2]
		c.goesTo(c.send(third+"/promo", third+"/promo/releases"), third+"/promo")
		used("2")
		c.goesTo(c.send(third+"/promo", third+"/promo", "promo", code), third+"/promo")
		used("3")

		// A hold that ran out while the customer thought it over, and was
		// taken by somebody else: nobody is sold at another sum than was told.
		c.goesTo(c.send(third+"/promo", third+"/promo", "go", "on"), third+"/outcome")
		path := third + "/outcome"
		form := withFields(c.screen(c.get(path)).form(path), "outcome", "purchase", "product", "1")
		db.exec(`UPDATE redemptions SET held_until = held_at WHERE visit_id = $1 AND state = 'held'`, idOf(third))
		fourth := other.walk(p, customer{phone: "+79166200008", promo: code}, domain.StepOutcome)
		used("3")
		a := c.do(http.MethodPost, path, nil, form)
		if a.Status != http.StatusConflict || !strings.Contains(c.screen(a).text(), russian(t, "outcome.discount_changed")) {
			t.Errorf("the hold is gone: %d → %q\n%s", a.Status, a.Location, c.screen(a).text())
		}
		// Seen with the new sum, the same purchase goes through.
		c.goesTo(c.send(path, path, "outcome", "purchase", "product", "1"), third+"/summary")
		if got := db.one(`SELECT discount FROM visits WHERE id = $1`, idOf(third)); got != "0" {
			t.Errorf("a lost code gave %s kopecks", got)
		}
		other.goesTo(other.send(late+"/promo", late+"/promo", "go", "on"), late+"/outcome")
		other.goesTo(other.purchase(late), late+"/summary")
		other.goesTo(other.purchase(fourth), fourth+"/summary")
		used("3")
		if got := db.one(`SELECT count(*) FROM redemptions r JOIN promo_codes p ON p.id = r.promo_code_id WHERE p.code = $1 AND r.state = 'confirmed'`, code); got != "3" {
			t.Errorf("%s confirmed uses of three", got)
		}
		visit := c.walk(p, customer{phone: "+79166200007"}, domain.StepPromo)
		c.refused(db, visit, code, domain.ReasonUsedUp)
	})
}

// The quick page spends nothing and tells nothing of the owner.
func TestPromoCheckSpendsNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		before := db.dump(false)
		for _, login := range []string{"anna", "vera", "admin"} {
			c := inspect(p.as(login))
			for _, typed := range []string{p.promoCode(), digits(p.promoCode())} {
				text := c.asked(typed)
				if !strings.Contains(text, "15") || !strings.Contains(text, russian(t, "promo_check.nothing_spent")) {
					t.Errorf("%s is told: %s", login, text)
				}
				if strings.Contains(text, "Мария") || strings.Contains(digits(text), "9000000001") {
					t.Errorf("%s is told whose code it is: %s", login, text)
				}
			}
		}
		if after := db.dump(false); after != before {
			t.Errorf("a question left a trace:\n%s", difference(before, after))
		}
	})
}

// A field that could only refuse is not shown; what helps is, and the visit
// goes on.
func TestPromoFieldThatCanSucceed(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "CODE_RESEND_AFTER=1s")...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		off, on := `UPDATE programmes SET discounts_on = (1 = 0)`, `UPDATE programmes SET discounts_on = (1 = 1)`
		for name, k := range map[string]struct {
			who   customer
			set   string
			field bool
			says  string
			leads string // a link that helps
		}{
			"verified":                      {customer{phone: "+79166010001"}, on, true, "promo.lead", ""},
			"unverified":                    {customer{phone: "+79166010002", unverified: true}, on, false, "promo.lead_barred", "/code"},
			"without the consent":           {customer{phone: "+79166010003", silent: true}, on, false, "promo.lead_barred", "/consents"},
			"discounts are off":             {customer{phone: "+79166010004"}, off, false, "promo.lead_no_discount", ""},
			"discounts are off, unverified": {customer{phone: "+79166010005", unverified: true}, off, false, "promo.lead_no_discount", ""},
		} {
			visit := c.walk(p, k.who, domain.StepPromo)
			db.exec(k.set)
			s := c.screen(c.get(visit + "/promo"))
			if got := s.byID("promo") != nil; got != k.field || !strings.Contains(s.text(), russian(t, k.says)) {
				t.Errorf("%s: a field: %t\n%s", name, got, s.text())
			}
			if k.leads != "" && len(find(s.root, func(n *html.Node) bool { return attr(n, "href") == visit+k.leads })) == 0 {
				t.Errorf("%s: no way to %s\n%s", name, k.leads, s.text())
			}
			// An old page without anything typed: told, and nothing leads to a field
			// that is not there.
			if a := c.send(visit+"/promo", visit+"/promo", "promo", ""); a.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: nothing applied: %d", name, a.Status)
			} else if links := find(c.screen(a).root, func(n *html.Node) bool { return attr(n, "href") == "#promo" }); (len(links) > 0) != k.field {
				t.Errorf("%s: %d links to the field", name, len(links))
			}
			c.goesTo(c.send(visit+"/promo", visit+"/promo", "go", "on"), visit+"/outcome")
			db.exec(on)
		}
	})
}
