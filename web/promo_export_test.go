package main

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"prilavok/domain"
)

// batch makes a batch through its form and gives its id.
func (c *client) batch(title, size string, pairs ...string) string {
	c.t.Helper()
	pairs = append([]string{"title", title, "size", size, "discount", "percent", "percent", "15", "uses", "2"}, pairs...)
	a := c.send("/promo-batches/new", "/promo-batches/new", pairs...)
	if a.Status != http.StatusSeeOther || !newBatch.MatchString(a.Location) {
		c.t.Fatalf("new batch: %d → %q\n%s", a.Status, a.Location, c.screen(a).text())
	}
	return strings.TrimPrefix(a.Location, "/promo-codes?batch=")
}

// export gives an export's lines below its head, as a spreadsheet reads them.
func (c *client) export(query string) [][]string {
	c.t.Helper()
	a := c.get("/promo-codes.csv" + query)
	body, marked := strings.CutPrefix(a.Body, "\ufeff")
	if a.Status != http.StatusOK || !marked || a.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		c.t.Fatalf("export%s: %d, %q\n%q", query, a.Status, a.Header.Get("Content-Type"), a.Body)
	}
	table := csv.NewReader(strings.NewReader(body))
	table.Comma = ';'
	rows, err := table.ReadAll() // every line has as many cells as the first
	if err != nil {
		c.t.Fatal(err)
	}
	if want := "code kind state discount_percent discount_rub uses used held valid_until created_at batch"; strings.Join(rows[0], " ") != want {
		c.t.Errorf("columns %q", rows[0])
	}
	return rows[1:]
}

// cells gives one column of an export, each text once, in order.
func cells(rows [][]string, column int) (out []string) {
	for _, r := range rows {
		out = append(out, r[column])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

var groupedCode = regexp.MustCompile(`^\d{3}[ \x{a0}]\d{3}[ \x{a0}]\d{4}$`)

func TestPromoExport(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		vera := inspect(p.as("vera"))
		evil := vera.batch("=1+1", "2", "last_day", "2030-06-30")
		for _, title := range []string{"+7", "-1", "@SUM(A1)", `Tab "и"; точка`, "a=1"} {
			vera.batch(title, "1", "discount", "roubles", "roubles", "99,50")
		}
		a := vera.get("/promo-codes.csv")
		if !strings.Contains(a.Body, ";") || strings.Count(a.Body, "\r\n") != strings.Count(a.Body, "\n") {
			t.Errorf("lines of a spreadsheet: %q", a.Body)
		}
		if d := a.Header.Get("Content-Disposition"); d != `attachment; filename="promo-codes.csv"` || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("Content-Disposition %q, Cache-Control %q", d, a.Header.Get("Cache-Control"))
		}
		all := vera.export("")
		if n := db.one(`SELECT count(*) FROM promo_codes`); n != "8" || len(all) != 8 {
			t.Errorf("%d lines for %s codes", len(all), n)
		}
		for _, r := range all {
			if !groupedCode.MatchString(r[0]) {
				t.Errorf("the code %q", r[0])
			}
			for _, cell := range r {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
					t.Errorf("a spreadsheet would run %q", cell)
				}
			}
		}
		if got, want := cells(all, 10), []string{"", "'+7", "'-1", "'=1+1", "'@SUM(A1)", `Tab "и"; точка`, "a=1"}; !slices.Equal(got, want) {
			t.Errorf("titles %q, want %q", got, want)
		}

		// The demo's friend owns a code and has a phone; neither it nor any other
		// stands in the file.
		phones := db.rows(`SELECT phone FROM contacts JOIN promo_codes ON owner_id = contacts.id`)
		if len(phones) == 0 {
			t.Fatal("no code has an owner")
		}
		for _, phone := range phones {
			for _, cell := range slices.Concat(all...) {
				if strings.Contains(digits(cell), national(phone)) || strings.Contains(cell, "•") {
					t.Errorf("an export holds a phone: %q", cell)
				}
			}
		}

		// Its filter is the list's.
		for query, n := range map[string]int{
			"?batch=" + evil: 2, "?kind=batch": 7, "?kind=referral": 1, "?state=active": 8, "?state=frozen": 0, "?kind=batch&batch=" + evil: 2,
			"?kind=made-up&state=x&batch=-1": 8, "?batch=999999": 0, "?before=1": 8, "?q=" + digits(p.promoCode()): 1,
		} {
			if got := vera.export(query); len(got) != n {
				t.Errorf("export%s: %d lines, want %d", query, len(got), n)
			}
		}
		if a := vera.get("/promo-codes.csv?q=nobody"); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("what is no code and no phone: %d", a.Status)
		}
		for _, r := range vera.export("?batch=" + evil) {
			if want := []string{"batch", "active", "15", "", "2", "0", "0", "2030-06-30"}; !slices.Equal(r[1:9], want) {
				t.Errorf("cells %q, want %q", r[1:9], want)
			}
		}
		if got := cells(vera.export("?kind=batch"), 4); !slices.Equal(got, []string{"", "99,50"}) {
			t.Errorf("roubles %q", got)
		}

		// A use that is held is one, and one that is confirmed another.
		anna := inspect(p.as("anna"))
		visit := anna.walk(p, customer{phone: "+79164400001", promo: p.promoCode()}, domain.StepOutcome)
		if r := vera.export("?q=" + digits(p.promoCode()))[0]; !slices.Equal(r[5:8], []string{"3", "0", "1"}) {
			t.Errorf("with a use held: %q", r)
		}
		anna.goesTo(anna.purchase(visit), visit+"/summary")
		if r := vera.export("?q=" + digits(p.promoCode()))[0]; !slices.Equal(r[5:8], []string{"3", "1", "0"}) {
			t.Errorf("after the purchase: %q", r)
		}
	})
}
