package main

import (
	"net/http"
	"strings"
	"testing"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

// What supervisors see of promo codes and limits, in both languages and empty
// or filled; the client holds each page against the rules of all pages.
func TestOfficePages(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	for _, language := range []string{"ru", "en"} {
		t.Run(language, func(t *testing.T) {
			env := []string{"DATA_DIR=" + t.TempDir(), "CODE_TRIES_PER_DAY=1"}
			p := start(t, env...)
			db := openData(t, env)
			anna, vera := inspect(p.as("anna")), inspect(p.as("vera"))
			vera.goesTo(vera.post("/language", "language", language, "back", "/"), "/")
			see := func(paths ...string) {
				t.Helper()
				for _, path := range paths {
					a := vera.get(path)
					if a.Status != http.StatusOK || !strings.Contains(a.Body, `<html lang="`+language+`"`) {
						t.Errorf("GET %s: %d → %q", path, a.Status, a.Location)
					}
				}
			}
			see("/limits", "/promo-batches", "/promo-batches/new", "/promo-batches/import", "/promo-codes?kind=batch")

			batch := vera.batch("Листовки", "51", "last_day", "2030-06-30")
			id := db.one(`SELECT max(id) FROM promo_codes WHERE batch_id = $1`, batch)
			code := "/promo-codes/" + id
			friend := "/promo-codes/" + db.one(`SELECT id FROM promo_codes WHERE kind = 'referral'`)
			// One use is confirmed, one voided, one held, one ran out, one refused.
			tenDigits := db.one(`SELECT code FROM promo_codes WHERE id = $1`, id)
			bought := anna.walk(p, customer{phone: "+79164600001", promo: tenDigits}, domain.StepOutcome)
			anna.goesTo(anna.purchase(bought), bought+"/summary")
			vera.goesTo(vera.send(bought+"/void", bought+"/void", "reason", "Вернули товар"), bought)
			anna.walk(p, customer{phone: "+79164600002", promo: tenDigits}, domain.StepOutcome)
			db.exec(`UPDATE redemptions SET state = 'expired', settled_at = held_until WHERE state = 'held'`)
			anna.walk(p, customer{phone: "+79164600003", promo: tenDigits}, domain.StepOutcome)
			for _, verb := range []string{"/freezes", "/thaws", "/freezes"} {
				vera.goesTo(vera.send(code+verb, code+verb, "reason", "Так решили"), code)
				see(code)
			}
			anna.asked(tenDigits)
			vera.goesTo(vera.send(code+"/extensions", code+"/extensions", "last_day", "2030-12-31", "reason", "Акция"), code)
			vera.goesTo(vera.send(code+"/extensions", code+"/extensions", "no_end", "yes", "reason", "Акция"), code)
			see(code, code+"?back=%2Fpromo-codes%3Fkind%3Dbatch", friend, "/promo-batches", "/promo-batches?before=1")
			for _, tail := range []string{"/freezes", "/thaws", "/extensions"} {
				see(code+tail, friend+tail)
			}
			for _, query := range []string{"", "?batch=" + batch, "?batch=" + batch + "&before=" + id, "?kind=referral&state=active", "?state=frozen", "?state=void", "?state=expired", "?state=used_up", "?before=1", "?q=" + tenDigits} {
				see("/promo-codes" + query)
				a := vera.do(http.MethodGet, "/promo-codes"+query, asPart, "")
				formCase{section: "promo-code-list"}.isPart(t, vera, a, query)
			}
			if a := vera.get("/promo-codes?q=nobody"); a.Status != http.StatusUnprocessableEntity {
				t.Errorf("what is no code and no phone: %d", a.Status)
			}
			// More faults than a report lists.
			a := vera.send("/promo-batches/import", "/promo-batches/import", "title", "x", "text", importHead+strings.Repeat("\n12;;;0;", 201))
			if n := len(find(vera.screen(a).byID("promo-import"), tag("tr"))); a.Status != http.StatusUnprocessableEntity || n != 201 {
				t.Errorf("the report of an import: %d, %d lines", a.Status, n)
			}

			guessed := anna.walk(p, customer{phone: "+79164600009"}, domain.StepCode)
			anna.sendCode(guessed)
			anna.send(guessed+"/code", guessed+"/code/checks", "code", wrong(p.codes("+79164600009")[0], 1))
			limit := "/limits/" + db.one(`SELECT id FROM code_attempts WHERE limit_met = 'phone_day'`)
			see("/limits", limit)
			vera.goesTo(vera.send(limit, limit+"/lifts", "reason", "Покупатель рядом"), "/limits")
			see("/limits")
		})
	}
}
