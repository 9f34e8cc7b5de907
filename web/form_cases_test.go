package main

import (
	"fmt"
	"strings"

	"prilavok/domain"
)

// formCase is one form of the program and what it must do with good and bad
// input. Addresses that begin with "." belong to the visit that is prepared, or
// to what made gives instead.
type formCase struct {
	name, page, action string
	login              string // who fills it in; anna unless said otherwise
	until              domain.Step
	who                customer
	served             bool                                      // the visit is anna's, whoever fills the form in
	before             func(c *client, p *program, visit string) // what must have happened
	rows               func(db data, visitID string)             // what must lie in the database, past the program
	made               func(m made) string                       // gives the address of what the form is about, where it is no visit

	section string // the part that a fault changes
	bad     []badInput
	records bool // a refusal of input is stored on purpose
	good    []string
	leads   string // where a success leads; "" answers with the page itself
	whole   bool   // a success loads the whole page anew
	foreign string // what another advisor gets: "404" unless said otherwise
}

// badInput is one way to fill a form in wrongly.
type badInput struct {
	pairs  []string
	drop   string
	faults []string          // the fields that are marked; none: the fault is the form's
	kept   map[string]string // what must stand in the form again
}

var formCases = []formCase{
	{
		name: "sign-in", page: "/sign-in", action: "/sign-in", login: "nobody", section: "sign-in",
		bad: []badInput{
			{pairs: []string{"login", "", "password", ""}, faults: []string{"login", "password"}},
			{pairs: []string{"login", "vera", "password", "guess-of-forms"}, kept: map[string]string{"login": "vera", "password": ""}},
		},
		good: []string{"login", "vera", "password", demoPassword}, leads: "/", whole: true, foreign: "/",
	},
	{
		name: "store", page: "/store", action: "/store", login: "olga", section: "store-choice",
		bad: []badInput{
			{pairs: []string{"store", ""}, faults: []string{"store"}},
			{pairs: []string{"store", "999"}, faults: []string{"store"}},
			{pairs: []string{"store", "x"}, faults: []string{"store"}},
		},
		good: []string{"store", "1"}, leads: "/counter", foreign: "bad", // the other one's store
	},
	{
		name: "new visit", page: "/counter", action: "/visits", good: []string{}, leads: "new", foreign: "not asked", // see TestTwice
	},
	{
		name: "age", page: "./age", action: "./age", until: domain.StepAge, section: "visit-age",
		bad: []badInput{
			{pairs: []string{"age", ""}, faults: []string{"age"}},
			{pairs: []string{"age", "sure"}, faults: []string{"age"}},
			{pairs: []string{"age", "document", "birth_date", "31.02.1990"}, faults: []string{"birth_date"}, kept: map[string]string{"birth_date": "31.02.1990", "age": "document"}},
			{pairs: []string{"age", "document", "birth_date", ""}, faults: []string{"birth_date"}, kept: map[string]string{"age": "document"}},
			{pairs: []string{"age", "document", "birth_date", "01.01.2999"}, faults: []string{"birth_date"}, kept: map[string]string{"birth_date": "01.01.2999"}},
		},
		good: []string{"age", "document", "birth_date", "5/3/1990"}, leads: "./consents",
	},
	{
		name: "consents", page: "./consents", action: "./consents", until: domain.StepConsents, section: "visit-consents",
		bad:  []badInput{{drop: "document"}},
		good: []string{"consent_1", "yes", "consent_2", "yes"}, leads: "./contact",
	},
	{
		name: "contact", page: "./contact", action: "./contact", until: domain.StepContact, section: "visit-contact",
		bad: []badInput{
			{pairs: []string{"phone", "", "name", ""}, faults: []string{"phone", "name"}},
			{pairs: []string{"phone", "12-34", "name", "  "}, faults: []string{"phone", "name"}, kept: map[string]string{"phone": "12-34"}},
			{pairs: []string{"phone", "+7 495 123-45-67", "name", "Пётр"}, faults: []string{"phone"}, kept: map[string]string{"phone": "+7 495 123-45-67", "name": "Пётр"}},
			{pairs: []string{"phone", "+1 212 555 01 23", "name", `<b>"&`}, faults: []string{"phone"}, kept: map[string]string{"name": `<b>"&`}},
			{pairs: []string{"phone", "8 916 300 10 00", "name", strings.Repeat("я", 81)}, faults: []string{"name"}, kept: map[string]string{"phone": "8 916 300 10 00", "name": strings.Repeat("я", 81)}},
			{pairs: []string{"phone", "8 916 300 10 00", "name", "Пётр", domain.QuestionField(1), "aliens"}, faults: []string{domain.QuestionField(1)}, kept: map[string]string{"name": "Пётр"}},
		},
		good: []string{"phone", "8 (916) 300-10-0%d", "name", "Пётр", domain.QuestionField(1), "friend"}, leads: "./code",
	},
	{
		name: "code send", page: "./code", action: "./code/sends", until: domain.StepCode, who: customer{phone: "+7916300200%d"}, section: "visit-code",
		good: []string{}, leads: "./code",
	},
	{
		name: "code check", page: "./code", action: "./code/checks", until: domain.StepCode, who: customer{phone: "+7916300300%d"}, section: "visit-code",
		before: func(c *client, _ *program, visit string) {
			c.goesTo(c.send(visit+"/code", visit+"/code/sends"), visit+"/code")
		},
		bad: []badInput{
			{pairs: []string{"code", ""}, faults: []string{"code"}},
			{pairs: []string{"code", "12"}, faults: []string{"code"}, kept: map[string]string{"code": "12"}},
			{pairs: []string{"code", "12345"}, faults: []string{"code"}, kept: map[string]string{"code": "12345"}},
			{pairs: []string{"code", "12a4"}, faults: []string{"code"}, kept: map[string]string{"code": "12a4"}},
		},
		good: []string{"code", "right"}, leads: "./code",
	},
	{
		name: "code skip", page: "./code", action: "./code/skips", until: domain.StepCode, who: customer{phone: "+7916300400%d"}, section: "visit-code",
		good: []string{}, leads: "./promo",
	},
	{
		name: "code skip on the help page", page: "./code/help", action: "./code/skips", until: domain.StepCode, who: customer{phone: "+7916300410%d"}, section: "visit-code",
		good: []string{}, leads: "./promo",
	},
	{
		name: "code deferral", page: "./code", action: "./code/deferrals", until: domain.StepCode, who: customer{phone: "+7916300420%d"}, section: "visit-code",
		before: func(c *client, _ *program, visit string) {
			c.goesTo(c.send(visit+"/code", visit+"/code/sends"), visit+"/code")
			// The other ways stand on the screen once nothing has come twice.
			for range 2 {
				c.sendCode(visit)
			}
		},
		good: []string{}, leads: "./code",
	},
	{
		name: "self-entry of a store", page: "/stores", action: "/stores/1/self-entry", login: "admin", section: "store-list",
		bad: []badInput{{pairs: []string{"self_entry", "maybe"}}, {drop: "self_entry"}},
		// Off: the other forms are filled in by advisors.
		good: []string{"self_entry", "no"}, leads: "/stores", foreign: "403",
	},
	{
		name: "promo apply", page: "./promo", action: "./promo", until: domain.StepPromo, who: customer{phone: "+7916300500%d"}, section: "visit-promo",
		bad: []badInput{
			{pairs: []string{"promo", ""}, faults: []string{"promo"}},
			{pairs: []string{"promo", "123 45"}, faults: []string{"promo"}, kept: map[string]string{"promo": "123 45"}},
			{pairs: []string{"promo", "123 45", "go", "on"}, faults: []string{"promo"}, kept: map[string]string{"promo": "123 45"}},
		},
		records: true, good: []string{"promo", "demo"}, leads: "./promo",
	},
	{
		name: "promo go", page: "./promo", action: "./promo", until: domain.StepPromo, who: customer{phone: "+7916300600%d"}, section: "visit-promo",
		good: []string{"go", "on"}, leads: "./outcome",
	},
	{
		name: "promo release", page: "./promo", action: "./promo/releases", until: domain.StepPromo, who: customer{phone: "+7916300700%d"}, section: "visit-promo",
		before: func(c *client, p *program, visit string) {
			c.goesTo(c.send(visit+"/promo", visit+"/promo", "promo", p.promoCode()), visit+"/promo")
		},
		good: []string{}, leads: "./promo",
	},
	{
		name: "outcome", page: "./outcome", action: "./outcome", until: domain.StepOutcome, who: customer{phone: "+7916300800%d"}, section: "visit-outcome",
		bad: []badInput{
			{pairs: []string{"outcome", ""}, faults: []string{"outcome"}},
			{pairs: []string{"outcome", "abandoned"}, faults: []string{"outcome"}},
			{pairs: []string{"outcome", "refused"}, faults: []string{"outcome"}},
			{pairs: []string{"outcome", "purchase", "product", ""}, faults: []string{"product"}, kept: map[string]string{"outcome": "purchase"}},
			{pairs: []string{"outcome", "purchase", "product", "999"}, faults: []string{"product"}, kept: map[string]string{"outcome": "purchase"}},
		},
		good: []string{"outcome", "purchase", "product", "2"}, leads: "./summary",
	},
	{
		name: "gift on the outcome step", page: "./outcome", action: "./gifts", until: domain.StepOutcome, who: customer{phone: "+7916300810%d"}, section: "visit-outcome",
		rows: waitingGift, good: []string{}, leads: "./outcome",
	},
	{
		name: "gift on the code step", page: "./code", action: "./gifts", until: domain.StepPromo, who: customer{phone: "+7916300820%d"}, section: "visit-code",
		rows: waitingGift, good: []string{}, leads: "./code",
	},
	{
		name: "void", page: "./void", action: "./void", login: "vera", served: true, until: domain.StepOutcome, who: customer{phone: "+7916300830%d"}, section: "visit-void",
		before: func(c *client, _ *program, visit string) { c.goesTo(c.purchase(visit), visit+"/summary") },
		bad: []badInput{
			{pairs: []string{"reason", ""}, faults: []string{"reason"}},
			{pairs: []string{"reason", " ой "}, faults: []string{"reason"}, kept: map[string]string{"reason": " ой "}},
			{pairs: []string{"reason", strings.Repeat("я", 301)}, faults: []string{"reason"}, kept: map[string]string{"reason": strings.Repeat("я", 301)}},
			{pairs: []string{"reason", `<b>` + strings.Repeat("&", 300)}, faults: []string{"reason"}, kept: map[string]string{"reason": `<b>` + strings.Repeat("&", 300)}},
		},
		good: []string{"reason", "Вернули товар"}, leads: ".", foreign: "403",
	},
	{
		name: "promo check", page: "/promo-check", action: "/promo-check", section: "promo-check",
		bad:  []badInput{{pairs: []string{"promo", " "}, faults: []string{"promo"}}},
		good: []string{"promo", "demo"}, foreign: "ok",
	},
	{
		name: "language", page: "/promo-check", action: "/language", good: []string{"language", "en"}, leads: "/promo-check", whole: true, foreign: "/promo-check",
	},
	{
		name: "sign-out", page: "/counter", action: "/sign-out", good: []string{}, leads: "/sign-in", whole: true, foreign: "in",
	},
}

// waitingGift lets a gift wait for the customer of a visit.
func waitingGift(db data, visitID string) {
	db.exec(`INSERT INTO promo_codes (programme_id, code, kind, owner_id, state, discount_percent, discount_kopecks, max_uses, used, source_visit_id, created_at)
		SELECT programme_id, $2, 'referral', contact_id, 'active', 15, 0, 3, 0, id, started_at FROM visits WHERE id = $1`,
		visitID, fmt.Sprintf("%010s", visitID))
	db.exec(`INSERT INTO gifts (programme_id, owner_id, promo_code_id, state, earned_at)
		SELECT programme_id, owner_id, id, 'earned', created_at FROM promo_codes WHERE source_visit_id = $1`, visitID)
}
