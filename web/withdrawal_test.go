package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"prilavok/domain"
)

// What changes from one drawing of a page to the next: the form's id and times.
var drawnAnew = regexp.MustCompile(`name="request_id" value="[^"]*"|\d\d:\d\d`)

// Whoever takes a consent back for somebody is told the same of a customer and
// of a stranger, and the number stands in no address and no log.
func TestWithdrawalTellsTheSame(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		anna, vera := p.as("anna"), inspect(p.as("vera"))
		visit := anna.walk(p, customer{phone: "+7 916 700 00 01"}, domain.StepOutcome)
		anna.goesTo(anna.purchase(visit), visit+"/summary")

		var answers []string
		for _, phone := range []string{"8 916 700 00 01", "8 916 700 00 02", "8 916 700 00 01"} {
			db.exec(`DELETE FROM withdrawals`)
			a := vera.send("/withdrawals", "/withdrawals", "phone", phone, "reason", "Позвонил в магазин", "sure", "yes")
			after := vera.get("/withdrawals?done=yes").Body
			answers = append(answers, fmt.Sprint(a.Status, " ", a.Location, " ", a.Body, drawnAnew.ReplaceAllString(after, "")))
			for _, want := range []string{"Вера", "Позвонил в магазин", "Если на этот номер уходили наши сообщения, больше их не будет."} {
				if !strings.Contains(after, want) {
					t.Errorf("after %s the page does not show %q", phone, want)
				}
			}
			if n := db.one(`SELECT count(*) FROM withdrawals`); n != "1" {
				t.Errorf("after %s: %s on record", phone, n)
			}
		}
		for i, a := range answers[1:] {
			if a != answers[0] {
				t.Errorf("answer %d is another one:\n%s", i+1, difference(answers[0], a))
			}
		}
		if strings.Contains(answers[0], "70000") || strings.Contains(p.out.String(), "70000") || strings.Contains(p.out.String(), "Позвонил") {
			t.Error("the number or the reason is shown or logged")
		}
		if got := db.one(`SELECT state || ' ' || reason FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(visit)); got != "cancelled stopped" {
			t.Errorf("the scheduled message is %s", got)
		}
		// The customer reads on their own page who did it.
		page := db.one(`SELECT page_token FROM contacts WHERE phone = '+79167000001'`)
		if body := p.client().get("/m/" + page).Body; !strings.Contains(body, "Наш сотрудник отозвал его по вашей просьбе") {
			t.Error("the customer's page does not tell who took the consent back")
		}
	})
}
