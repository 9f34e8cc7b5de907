package main

import (
	"fmt"
	"regexp"
	"strings"

	"prilavok/domain"
)

const importHead = "code;discount_percent;discount_rub;uses;valid_until"

// checkedCodes are promo codes whose check digit is right.
var checkedCodes = []string{"0000000000", "0000000013", "0000000021", "0000000037", "0000000045", "0000000059", "0000000068"}

var newBatch = regexp.MustCompile(`^/promo-codes\?batch=\d+$`)

// tooLong is a reason of more letters than there is room for.
var tooLong = strings.Repeat("я", 301)

// reasons are the wrong ways to give one.
var reasons = []badInput{
	{pairs: []string{"reason", ""}, faults: []string{"reason"}},
	{pairs: []string{"reason", " ой "}, faults: []string{"reason"}, kept: map[string]string{"reason": " ой "}},
	{pairs: []string{"reason", tooLong}, faults: []string{"reason"}, kept: map[string]string{"reason": tooLong}},
	{pairs: []string{"reason", `"<`}, faults: []string{"reason"}, kept: map[string]string{"reason": `"<`}},
}

// officeCases are the forms of supervisors about promo codes and limits.
var officeCases = []formCase{
	{
		name: "freeze", page: "./freezes", action: "./freezes", login: "vera", section: "promo-change",
		made: promoMade("active"), bad: reasons,
		good: []string{"reason", "Выложили в чат"}, leads: ".", foreign: "403",
	},
	{
		name: "thaw", page: "./thaws", action: "./thaws", login: "vera", section: "promo-change",
		made: promoMade("frozen"), bad: reasons,
		good: []string{"reason", "Разобрались"}, leads: ".", foreign: "403",
	},
	{
		name: "extension", page: "./extensions", action: "./extensions", login: "vera", section: "promo-change",
		made: promoMade("active"),
		bad: []badInput{
			{pairs: []string{"last_day", "", "reason", ""}, faults: []string{"last_day", "reason"}},
			{pairs: []string{"last_day", "завтра", "reason", "Акция"}, faults: []string{"last_day"}, kept: map[string]string{"last_day": "завтра", "reason": "Акция"}},
			{pairs: []string{"last_day", "2020-01-31", "reason", "Акция"}, faults: []string{"last_day"}, kept: map[string]string{"last_day": "2020-01-31", "reason": "Акция"}},
			{pairs: []string{"last_day", "2999-01-31", "reason", "Акция"}, faults: []string{"last_day"}, kept: map[string]string{"last_day": "2999-01-31"}},
			{pairs: []string{"no_end", "yes", "reason", " ой "}, faults: []string{"reason"}, kept: map[string]string{"no_end": "yes", "reason": " ой "}},
		},
		good: []string{"no_end", "yes", "reason", "Акция продлена"}, leads: ".", foreign: "403",
	},
	{
		name: "new batch", page: "/promo-batches/new", action: "/promo-batches/new", login: "vera", section: "promo-batch",
		bad: []badInput{
			{pairs: []string{"uses", ""}, faults: []string{"title", "size", "discount", "uses"}},
			{drop: "request_id"},
			{
				pairs: []string{"title", " ", "size", "10001", "discount", "percent", "percent", "101", "uses", "1001", "last_day", "31.02.2030"}, faults: []string{"title", "size", "percent", "uses", "last_day"},
				kept: map[string]string{"size": "10001", "discount": "percent", "percent": "101", "uses": "1001", "last_day": "31.02.2030"},
			},
			{
				pairs: []string{"title", `<b>"&`, "size", "0", "discount", "roubles", "roubles", "много", "uses", "1"}, faults: []string{"size", "roubles"},
				kept: map[string]string{"title": `<b>"&`, "size": "0", "discount": "roubles", "roubles": "много"},
			},
			{
				pairs: []string{"title", strings.Repeat("я", 81), "size", "3", "discount", "percent", "percent", "15", "uses", "1"}, faults: []string{"title"},
				kept: map[string]string{"title": strings.Repeat("я", 81), "size": "3", "percent": "15"},
			},
		},
		good: []string{"title", "Листовки", "size", "3", "discount", "percent", "percent", "15", "uses", "1"}, leads: "/promo-codes?batch=new", foreign: "403",
	},
	{
		name: "import", page: "/promo-batches/import", action: "/promo-batches/import", login: "vera", section: "promo-import",
		bad: []badInput{
			{pairs: []string{"title", ""}, faults: []string{"title", "text"}},
			{pairs: []string{"title", "Партнёр", "text", "\n \n"}, faults: []string{"text"}, kept: map[string]string{"title": "Партнёр", "text": "\n \n"}},
			{
				pairs: []string{"title", "", "text", importHead + "\n" + checkedCodes[5] + ";15;;1;"}, faults: []string{"title"},
				kept: map[string]string{"text": importHead + "\n" + checkedCodes[5] + ";15;;1;"},
			},
			// An empty line before the head is a line of the text like any other.
			{
				pairs: []string{"title", "Партнёр", "text", "\n" + importHead + "\n12;</textarea><b>;;0;"}, faults: []string{"text"},
				kept: map[string]string{"title": "Партнёр", "text": "\n" + importHead + "\n12;</textarea><b>;;0;"},
			},
		},
		good: []string{"title", "Партнёр", "text", "lines"}, leads: "/promo-codes?batch=new", foreign: "403",
	},
	{
		name: "lift of a limit", page: ".", action: "./lifts", login: "vera", served: true, until: domain.StepCode, who: customer{phone: "+7916300840%d"}, section: "limit-lift",
		made: limitMade, bad: append([]badInput{{pairs: []string{"reason", "Покупатель рядом"}, drop: "request_id", kept: map[string]string{"reason": "Покупатель рядом"}}}, reasons...),
		good: []string{"reason", "Покупатель рядом"}, leads: "/limits", foreign: "403",
	},
	{
		name: "SMS that was read", page: "/incoming", action: "./seen", login: "vera", served: true, until: domain.StepOutcome, who: customer{phone: "+7916300850%d"},
		made: incomingMade, good: []string{}, leads: "/incoming", foreign: "403",
	},
	{
		name: "SMS taken for a stop", page: "./stops", action: "./stops", login: "vera", served: true, until: domain.StepOutcome, who: customer{phone: "+7916300851%d"},
		made: stopMade, good: []string{}, leads: "/incoming", foreign: "403",
	},
	{
		name: "withdrawal", page: "/withdrawals", action: "/withdrawals", login: "vera", section: "withdrawals",
		bad: []badInput{
			{pairs: []string{"phone", "", "reason", ""}, faults: []string{"phone", "reason", "sure"}},
			{pairs: []string{"phone", "12-34", "reason", `"<`, "sure", "yes"}, faults: []string{"phone", "reason"}, kept: map[string]string{"phone": "12-34", "reason": `"<`}},
			{pairs: []string{"phone", "8 916 300 95 00", "reason", tooLong, "sure", "yes"}, faults: []string{"reason"}, kept: map[string]string{"phone": "8 916 300 95 00", "reason": tooLong}},
			{pairs: []string{"phone", "8 916 300 95 00", "reason", "Позвонил"}, faults: []string{"sure"}, kept: map[string]string{"phone": "8 916 300 95 00", "reason": "Позвонил"}},
			{pairs: []string{"phone", "8 916 300 95 00", "reason", "Позвонил", "sure", "yes"}, drop: "request_id", kept: map[string]string{"phone": "8 916 300 95 00"}},
		},
		good: []string{"phone", "8 916 300 95 0%d", "reason", "Позвонил в магазин", "sure", "yes"}, leads: "/withdrawals?done=yes", foreign: "403",
	},
}

// incomingMade lets the customer of a visit write an SMS and gives its address.
func incomingMade(m made) string {
	return "/incoming/" + wrote(m.db, idOf(m.visit), "Больше не пишите мне")
}

// templateCases are the forms of administrators about texts of SMS.
var templateCases = []formCase{
	{
		name: "text of an SMS", page: "/templates/1/stopped/ru", action: "/templates/1/stopped/ru", login: "admin", section: "template-edit",
		bad: []badInput{
			{pairs: []string{"body", " \r\n"}, faults: []string{"body"}},
			{pairs: []string{"body", "{brand} {foo}"}, faults: []string{"body"}, kept: map[string]string{"body": "{brand} {foo}"}},
			{pairs: []string{"body", "\n{brand </textarea><b>"}, faults: []string{"body"}, kept: map[string]string{"body": "\n{brand </textarea><b>"}},
			{pairs: []string{"body", "{brand}\t!"}, faults: []string{"body"}, kept: map[string]string{"body": "{brand}\t!"}},
			{pairs: []string{"body", strings.Repeat("я", 403)}, faults: []string{"body"}, kept: map[string]string{"body": strings.Repeat("я", 403)}},
			{pairs: []string{"body", strings.Repeat("a", 1001)}, faults: []string{"body"}, kept: map[string]string{"body": strings.Repeat("a", 1001)}},
			{pairs: []string{"body", "{brand}!"}, drop: "version", kept: map[string]string{"body": "{brand}!"}},
		},
		good: []string{"body", "{brand}: больше не пишем %d"}, leads: "/templates/1/stopped/ru?saved=yes", foreign: "403",
	},
	{
		name: "text of an SMS with a code", page: "/templates/1/code/en", action: "/templates/1/code/en", login: "admin", section: "template-edit",
		bad: []badInput{
			{pairs: []string{"body", "{brand}"}, faults: []string{"body"}, kept: map[string]string{"body": "{brand}"}},
			{pairs: []string{"body", "{brand}: {code}"}, faults: []string{"body"}, kept: map[string]string{"body": "{brand}: {code}"}},
		},
		good: []string{}, leads: "/templates/1/code/en?saved=same", foreign: "403",
	},
	{
		name: "older text of an SMS", page: ".", action: "./restorations", login: "admin", section: "template-edit", made: templateMade,
		bad:  []badInput{{drop: "version"}, {drop: "restore"}, {pairs: []string{"restore", "99"}}, {pairs: []string{"restore", "x"}}},
		good: []string{}, leads: ".?saved=yes", foreign: "403",
	},
	{
		name: "trial sending", page: "/templates/1/trial/ru", action: "/templates/1/trial/ru/trials", login: "admin", section: "template-edit",
		bad: []badInput{
			{pairs: []string{"phone", ""}, faults: []string{"phone"}},
			{pairs: []string{"phone", "12-34", "body", "{promo}!"}, faults: []string{"phone"}, kept: map[string]string{"phone": "12-34", "body": "{promo}!"}},
			{pairs: []string{"phone", "+7 495 123-45-67"}, faults: []string{"phone"}, kept: map[string]string{"phone": "+7 495 123-45-67"}},
			{pairs: []string{"phone", "8 916 300 90 00", "body", "{brand}"}, faults: []string{"body"}, kept: map[string]string{"phone": "8 916 300 90 00", "body": "{brand}"}},
			{pairs: []string{"phone", `"<b>`, "body", ""}, faults: []string{"body", "phone"}, kept: map[string]string{"phone": `"<b>`}},
			{pairs: []string{"phone", "8 916 300 90 00"}, drop: "request_id", kept: map[string]string{"phone": "8 916 300 90 00"}},
		},
		good: []string{"phone", "8 916 300 90 00"}, foreign: "403",
	},
}

// templateMade writes another version of a text and gives its address.
func templateMade(m made) string {
	m.db.exec(`INSERT INTO message_templates (programme_id, kind, language, version, body, staff_id, created_at)
		SELECT 1, 'started', 'ru', 1 + coalesce((SELECT max(version) FROM message_templates WHERE kind = 'started'), 0), $1, id, created_at
		FROM staff WHERE login = 'admin'`, "Приходите: "+domain.RandomToken(4))
	return "/templates/1/started/ru"
}

// promoMade makes a code of a batch, good for a month, and gives its address.
func promoMade(state string) func(made) string {
	return func(m made) string {
		batch := m.db.one(`INSERT INTO promo_batches (programme_id, request_id, title, imported, size, staff_id, created_at)
			SELECT s.programme_id, $1, 'Листовки', FALSE, 1, a.id, a.created_at FROM stores s, staff a WHERE s.id = 1 AND a.login = 'vera' RETURNING id`, domain.RandomToken(16))
		return "/promo-codes/" + m.db.one(`INSERT INTO promo_codes (programme_id, code, kind, state, discount_percent, discount_kopecks, max_uses, used, expires_at, batch_id, created_at)
			SELECT b.programme_id, $2, 'batch', $3, 15, 0, 1, 0, $4, b.id, b.created_at FROM promo_batches b WHERE b.id = $1 RETURNING id`,
			batch, fmt.Sprintf("9%09s", batch), state, m.db.at(`SELECT created_at FROM promo_batches WHERE id = $1`, batch).AddDate(0, 1, 0))
	}
}

// limitMade lets the phone of a visit be locked by wrong codes and gives the
// limit's address.
func limitMade(m made) string {
	m.c.t.Helper()
	for i := range 5 {
		if i%3 == 0 { // a code bears three
			m.c.sendCode(m.visit)
		}
		m.c.send(m.visit+"/code", m.visit+"/code/checks", "code", wrong(m.p.codes(m.phone)[0], i%3+1))
	}
	return "/limits/" + m.db.one(`SELECT id FROM code_attempts WHERE visit_id = $1 AND limit_met <> ''`, idOf(m.visit))
}

// stopMade is incomingMade for somebody who was answered just now, so that the
// queue has nothing to send beside the cases that follow.
func stopMade(m made) string {
	m.db.exec(`INSERT INTO messages (channel, kind, programme_id, contact_id, language, body, state, reason, gateway, due_at, settled_at, created_at)
		SELECT 'service', 'stopped', programme_id, contact_id, 'ru', '', 'delivered', '', 'handset', touched_at, touched_at, touched_at FROM visits WHERE id = $1`, idOf(m.visit))
	return incomingMade(m)
}
