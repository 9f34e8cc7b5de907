package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"prilavok/domain"
)

// secondProgramme adds a programme like the demo's, with a store and two
// people of its own: dina serves there, boris supervises. Their passwords are
// those of the demo.
func secondProgramme(db data) (id string) {
	id = db.one(`INSERT INTO programmes (name, brand, active, discounts_on, friend_discount_percent, friend_discount_kopecks,
			trial_discount_percent, trial_discount_kopecks, referral_uses, referral_days, trial_days, created_at)
		SELECT 'Вторая', 'Вторая', active, discounts_on, friend_discount_percent, friend_discount_kopecks,
			trial_discount_percent, trial_discount_kopecks, referral_uses, referral_days, trial_days, created_at FROM programmes RETURNING id`)
	db.exec(`INSERT INTO products (programme_id, name, price, active, position)
		SELECT $1, name, price, active, position FROM products`, id)
	db.exec(`INSERT INTO consent_documents (programme_id, kind, language, version, title, body, hash, published_at)
		SELECT $1, kind, language, version, title, body, hash, published_at FROM consent_documents`, id)
	store := db.one(`INSERT INTO stores (programme_id, name, city, address, time_zone, active)
		VALUES ($1, 'Второй дом', 'Омск', 'Ленина, 1', 'Asia/Omsk', TRUE) RETURNING id`, id)
	for login, like := range map[string]string{"dina": "anna", "boris": "vera"} {
		person := db.one(`INSERT INTO staff (login, name, role, language, password_hash, active, created_at)
			SELECT $1, $2, role, language, password_hash, active, created_at FROM staff WHERE login = $3 RETURNING id`, login, strings.ToTitle(login), like)
		db.exec(`INSERT INTO staff_stores (staff_id, store_id) VALUES ($1, $2)`, person, store)
	}
	return id
}

// batchChoices are the batches that the list of codes can be narrowed to.
func (c *client) batchChoices() (titles []string) {
	c.t.Helper()
	for _, o := range find(c.screen(c.get("/promo-codes")).field("Партия"), tag("option"))[1:] {
		titles = append(titles, textOf(o))
	}
	slices.Sort(titles)
	return titles
}

// listed tells whether a list has a line of a code.
func listed(t *testing.T, body, code string) bool {
	t.Helper()
	return slices.ContainsFunc(find(parseHTML(t, body), withAttr("class", "visit-link")), func(n *html.Node) bool { return digits(textOf(n)) == code })
}

// What one programme has does not exist for the supervisors of another.
func TestPromoProgrammes(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		other := secondProgramme(db)
		vera, boris, admin, dina := inspect(p.as("vera")), inspect(p.as("boris")), inspect(p.as("admin")), inspect(p.as("dina"))
		ours, theirs := vera.batch("Наши листовки", "2"), boris.batch("Чужие листовки", "2")

		// A code of theirs is used, and its buyer gets one of their own.
		const buyer = "+79164500001"
		used := db.one(`SELECT min(code) FROM promo_codes WHERE batch_id = $1`, theirs)
		visit := dina.walk(p, customer{phone: buyer, promo: used}, domain.StepOutcome)
		dina.goesTo(dina.purchase(visit), visit+"/summary")

		for _, side := range []struct {
			c                *client
			own, foreign     string
			batch, title     string
			theirs, searched string
		}{
			{vera, "<> " + other, "= " + other, theirs, "Наши листовки", "Чужие листовки", buyer},
			{boris, "= " + other, "<> " + other, ours, "Чужие листовки", "Наши листовки", digits(p.promoCode())},
		} {
			c := side.c
			foreign := db.rows(`SELECT id, code FROM promo_codes WHERE programme_id ` + side.foreign)
			if len(foreign) != 3 {
				t.Fatalf("codes of the other programme: %q", foreign)
			}
			before := db.dump(false)
			var searches []string
			for _, row := range foreign {
				id, code, _ := strings.Cut(row, " | ")
				searches = append(searches, "?q="+code)
				for _, tail := range []string{"", "/freezes", "/thaws", "/extensions"} {
					if a := c.get("/promo-codes/" + id + tail); a.Status != http.StatusNotFound {
						t.Errorf("GET /promo-codes/%s%s of another programme: %d", id, tail, a.Status)
					}
					if tail == "" {
						continue
					}
					if a := c.post("/promo-codes/"+id+tail, "reason", "Посмотрим", "no_end", "yes"); a.Status != http.StatusNotFound {
						t.Errorf("POST /promo-codes/%s%s of another programme: %d", id, tail, a.Status)
					}
				}
			}
			own := db.rows(`SELECT code FROM promo_codes WHERE programme_id ` + side.own)
			for _, query := range slices.Concat(searches, []string{"?batch=" + side.batch, "", "?kind=batch", "?before=999999", "?q=" + strings.TrimPrefix(side.searched, "+")}) {
				body := c.get("/promo-codes" + query).Body
				rows := c.export(query)
				for _, row := range foreign {
					_, code, _ := strings.Cut(row, " | ")
					if listed(t, body, code) || slices.ContainsFunc(rows, func(r []string) bool { return digits(r[0]) == code }) {
						t.Errorf("the list%s tells of a code of another programme", query)
					}
				}
				if strings.Contains(body, side.theirs) || slices.ContainsFunc(rows, func(r []string) bool { return r[10] == side.theirs }) {
					t.Errorf("the list%s tells of a batch of another programme", query)
				}
				for _, code := range own {
					if query == "" && (len(rows) != len(own) || !listed(t, body, code)) {
						t.Errorf("%d codes are exported of %d, or one is not listed", len(rows), len(own))
					}
				}
			}
			if body := c.get("/promo-batches").Body; strings.Contains(body, side.theirs) || !strings.Contains(body, side.title) {
				t.Errorf("the batches are not those of one programme")
			}
			if got := c.batchChoices(); !slices.Equal(got, []string{side.title}) {
				t.Errorf("batches to choose among: %q", got)
			}
			if after := db.dump(false); after != before {
				t.Errorf("another programme was changed:\n%s", difference(before, after))
			}
		}

		// An administrator sees both.
		if got := admin.batchChoices(); !slices.Equal(got, []string{"Наши листовки", "Чужие листовки"}) {
			t.Errorf("an administrator chooses among %q", got)
		}
		if got := len(admin.export("")); got != 6 {
			t.Errorf("an administrator exports %d codes", got)
		}
		if body := admin.get("/promo-batches").Body; !strings.Contains(body, "Наши листовки") || !strings.Contains(body, "Чужие листовки") {
			t.Error("an administrator does not see every batch")
		}
		id := db.one(`SELECT id FROM promo_codes WHERE code = $1`, used)
		if text := admin.screen(admin.get("/promo-codes/" + id)).text(); !strings.Contains(text, "Второй дом") || strings.Contains(digits(text), national(buyer)) {
			t.Errorf("the use of a code: %s", text)
		}

		// And says which programme a batch is for, by hand or by import.
		for _, f := range []struct{ path, field, value string }{
			{"/promo-batches/new", "size", "1"},
			{"/promo-batches/import", "text", importHead + "\n" + checkedCodes[0] + ";15;;1;"},
		} {
			pairs := []string{"title", "Общая", "discount", "percent", "percent", "15", "uses", "1", f.field, f.value}
			for _, none := range []string{"", "x"} {
				a := admin.send(f.path, f.path, append(slices.Clone(pairs), "programme", none)...)
				badInput{faults: []string{"programme"}, kept: map[string]string{"title": "Общая", f.field: f.value}}.holds(t, admin, a, f.path)
			}
			a := admin.send(f.path, f.path, append(slices.Clone(pairs), "programme", other)...)
			if a.Status != http.StatusSeeOther {
				t.Fatalf("%s: %d\n%s", f.path, a.Status, admin.screen(a).text())
			}
			batch := strings.TrimPrefix(a.Location, "/promo-codes?batch=")
			if got := db.rows(`SELECT DISTINCT p.programme_id, b.programme_id FROM promo_codes p JOIN promo_batches b ON b.id = p.batch_id WHERE b.id = $1`, batch); !slices.Equal(got, []string{other + " | " + other}) {
				t.Errorf("%s: the programmes are %q", f.path, got)
			}
			// A supervisor of one programme is not asked, and no other is theirs.
			if vera.screen(vera.get(f.path)).byID("programme") != nil {
				t.Errorf("%s asks for a programme where there is one", f.path)
			}
			before := db.dump(false)
			for _, foreign := range []string{other, "999999"} {
				if a := vera.send(f.path, f.path, append(slices.Clone(pairs), "programme", foreign)...); a.Status != http.StatusNotFound {
					t.Errorf("%s for another programme: %d", f.path, a.Status)
				}
			}
			if after := db.dump(false); after != before {
				t.Errorf("%s for another programme left a trace:\n%s", f.path, difference(before, after))
			}
		}

		// The quick page knows nothing of it either, whatever is asked.
		if got, none := vera.asked(used), vera.asked(checkedCodes[5]); got != none || !strings.Contains(none, russian(t, "promo.refused."+string(domain.ReasonUnknown))) {
			t.Errorf("the quick page tells of another programme: %s\nof no code at all: %s", got, none)
		}
		if got := boris.asked(used); !strings.Contains(got, "15") {
			t.Errorf("of their own programme: %s", got)
		}
	})
}
