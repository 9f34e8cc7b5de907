package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
)

// together sends the same thing n times at the same moment.
func together(n int, send func() answer) []answer {
	answers := make([]answer, n)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range answers {
		wg.Go(func() {
			<-begin
			answers[i] = send()
		})
	}
	close(begin)
	wg.Wait()
	return answers
}

// A double tap, a repeated request and an impatient thumb give one result.
func TestTwice(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		c, other := inspect(p.as("anna")), inspect(p.as("timur"))

		form := c.screen(c.get("/counter")).form("/visits").Encode()
		begin := func() answer { return c.do(http.MethodPost, "/visits", nil, form) }
		first := begin()
		for _, a := range append(together(8, begin), begin()) {
			c.goesTo(a, first.Location)
		}
		if n := db.one(`SELECT count(*) FROM visits WHERE request_id <> 'demo'`); n != "1" {
			t.Errorf("a double tap began %s visits", n)
		}
		// The id is no key to somebody else's visit.
		if a := other.do(http.MethodPost, "/visits", nil, form); a.Status != http.StatusNotFound {
			t.Errorf("another advisor with the same id: %d → %q", a.Status, a.Location)
		}
		if a := c.post("/visits"); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("a form without an id: %d", a.Status)
		}

		const phone = "+79164000001"
		visit := c.walk(p, customer{phone: phone}, domain.StepCode)
		step, id := visit+"/code", idOf(visit)
		form = c.screen(c.get(step)).form(step + "/sends").Encode()
		send := func() answer { return c.do(http.MethodPost, step+"/sends", nil, form) }
		for _, a := range append(together(8, send), send()) {
			c.goesTo(a, step)
		}
		if n := len(p.codes(phone)); n != 1 {
			t.Fatalf("a double tap sent %d SMS", n)
		}
		form = c.screen(c.get(step)).form(step + "/sends").Encode()
		if a := send(); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
			t.Errorf("another SMS at once: %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
		}
		if n := db.one(`SELECT count(*) FROM code_attempts WHERE visit_id = $1 AND verdict = 'send'`, id); n != "1" {
			t.Errorf("%s sendings are recorded", n)
		}

		code := p.codes(phone)[0]
		check := func(code string) func() answer {
			form := withFields(c.screen(c.get(step)).form(step+"/checks"), "code", code)
			return func() answer { return c.do(http.MethodPost, step+"/checks", nil, form) }
		}
		slip := check(wrong(code, 1))
		for _, a := range append(together(8, slip), slip()) {
			if a.Status != http.StatusUnprocessableEntity || !strings.Contains(c.screen(a).text(), russian(t, "code.wrong", 2)) {
				t.Errorf("a wrong code twice: %d\n%s", a.Status, c.screen(a).text())
			}
		}
		right := check(code)
		for _, a := range append(together(8, right), right()) {
			c.goesTo(a, step)
		}
		if got := db.rows(`SELECT verdict FROM code_attempts WHERE visit_id = $1 AND kind = 'check' ORDER BY id`, id); !slices.Equal(got, []string{"wrong", "right"}) {
			t.Errorf("checks on record: %q", got)
		}
		if n := db.one(`SELECT count(*) FROM verifications WHERE visit_id = $1`, id); n != "1" {
			t.Errorf("%s verifications", n)
		}

		step = visit + "/promo"
		form = withFields(c.screen(c.get(step)).form(step), "promo", p.promoCode())
		for _, a := range together(8, func() answer { return c.do(http.MethodPost, step, nil, form) }) {
			c.goesTo(a, step)
		}
		c.goesTo(c.send(step, step, "go", "on"), visit+"/outcome")

		step = visit + "/outcome"
		form = withFields(c.screen(c.get(step)).form(step), "outcome", "purchase", "product", "1")
		finish := func() answer { return c.do(http.MethodPost, step, nil, form) }
		for _, a := range append(together(8, finish), finish()) {
			c.goesTo(a, visit+"/summary")
		}
		// Changed in another tab after the end: the first answer stays.
		form = withFields(c.screen(c.get("/counter")).form("/visits"), "outcome", "trial")
		c.goesTo(finish(), visit+"/summary")
		for query, want := range map[string][]string{
			`SELECT outcome, price, discount FROM visits WHERE id = $1`:                      {"purchase | 399000 | 59850"},
			`SELECT state FROM redemptions WHERE visit_id = $1`:                              {"confirmed"},
			`SELECT kind, state FROM messages WHERE channel = 'programme' AND visit_id = $1`: {"referral | scheduled"},
			`SELECT kind, max_uses, used FROM promo_codes WHERE source_visit_id = $1`:        {"referral | 3 | 0"},
			`SELECT count(*) FROM visit_events WHERE visit_id = $1 AND kind = 'outcome'`:     {"1"},
		} {
			if got := db.rows(query, id); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		if used := db.one(`SELECT used FROM promo_codes WHERE code = $1`, digits(p.promoCode())); used != "1" {
			t.Errorf("the friend's code was used %s times", used)
		}

		// Every form of an old tab leads to the summary and changes nothing.
		before := visitRows(db, id)
		for _, row := range accessTable {
			if row.method == http.MethodPost && row.ended == summary {
				tail := strings.TrimPrefix(row.path, "/visits/:id")
				pairs := []string{"age", "refused", "document", "1", "phone", "+79164000009", "name", "Тень", "code", code, "promo", p.promoCode(), "go", "on", "outcome", "left", "request_id", "old tab"}
				c.goesTo(c.post(visit+tail, pairs...), visit+"/summary")
				if a := c.part(visit+tail, pairs...); a.Header.Get("HX-Location") != visit+"/summary" {
					t.Errorf("POST %s by htmx: %d → %q", tail, a.Status, a.Header.Get("HX-Location"))
				}
			}
		}
		if after := visitRows(db, id); after != before {
			t.Errorf("an old tab changed the ended visit:\n%s", difference(before, after))
		}
	})
}

// What follows from a purchase and from a trial waits for 11:00 of the next
// day on the clock of the store.
func TestFollowUp(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "CODE_RESEND_AFTER=1s")...)
		db := openData(t, env)
		for n, at := range []struct{ login, zone string }{{"anna", "Europe/Moscow"}, {"timur", "Asia/Yekaterinburg"}} {
			c := inspect(p.as(at.login))
			zone, err := time.LoadLocation(at.zone)
			if err != nil {
				t.Fatal(err)
			}
			for _, outcome := range []string{"trial", "purchase"} {
				phone := fmt.Sprintf("+7916410000%d", n)
				visit := c.walk(p, customer{phone: phone}, domain.StepOutcome)
				c.goesTo(c.send(visit+"/outcome", visit+"/outcome", "outcome", outcome, "product", "3"), visit+"/summary")
				id := idOf(visit)
				ended := db.at(`SELECT ended_at FROM visits WHERE id = $1`, id).In(zone)
				want := time.Date(ended.Year(), ended.Month(), ended.Day()+1, 11, 0, 0, 0, zone)
				if due := db.at(`SELECT due_at FROM messages WHERE channel = 'programme' AND visit_id = $1 AND state = 'scheduled'`, id); !due.Equal(want) {
					t.Errorf("%s in %s: due %v, want %v", outcome, at.zone, due.In(zone), want)
				}
				if text := c.screen(c.get(visit + "/summary")).text(); !strings.Contains(text, fmt.Sprintf("%d", want.Day())) || !strings.Contains(text, "11:00") {
					t.Errorf("the summary does not tell when: %s", text)
				}
				if outcome == "trial" {
					continue
				}
				// The purchase speaks; the trial's message, not yet sent, does not.
				got := db.rows(`SELECT m.kind, m.state, m.reason FROM messages m
					JOIN contacts c ON c.id = m.contact_id WHERE m.channel = 'programme' AND c.phone = $1 ORDER BY m.id`, phone)
				if !slices.Equal(got, []string{"trial | cancelled | purchased", "referral | scheduled | "}) {
					t.Errorf("messages: %q", got)
				}
			}
			// Nothing comes to somebody who was not verified or who said no.
			for i, who := range []customer{{unverified: true}, {silent: true}, {anonymous: true}} {
				who.phone = fmt.Sprintf("+7916420%d00%d", i, n)
				visit := c.walk(p, who, domain.StepOutcome)
				c.goesTo(c.purchase(visit), visit+"/summary")
				if got := db.rows(`SELECT * FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(visit)); len(got) > 0 {
					t.Errorf("%+v gets %q", who, got)
				}
			}
		}
	})
}
