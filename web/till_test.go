package main

import (
	"cmp"
	stdsql "database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

// setting gives the value of a setting among "NAME=value" lines.
func setting(env []string, name string) string {
	for _, line := range env {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return ""
}

// data is a second way into the program's database, past the program.
type data struct {
	t        testing.TB
	db       *stdsql.DB
	postgres bool
}

// openData opens the database that env names beside the running program.
func openData(t testing.TB, env []string) data {
	t.Helper()
	driver, address := "pgx", setting(env, "DATABASE_URL")
	if address == "" {
		driver = "sqlite"
		address = "file:" + filepath.Join(setting(env, "DATA_DIR"), "prilavok.db") + "?_pragma=busy_timeout(5000)&_time_format=sqlite&_timezone=UTC&_texttotime=1"
	}
	db, err := stdsql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return data{t, db, driver == "pgx"}
}

func (d data) exec(query string, args ...any) {
	d.t.Helper()
	if _, err := d.db.ExecContext(d.t.Context(), query, args...); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
}

// rows gives the rows of a query as text. Times are cut to seconds, so that a
// search for a short code cannot meet it in a fraction of one.
func (d data) rows(query string, args ...any) (out []string) {
	d.t.Helper()
	rows, err := d.db.QueryContext(d.t.Context(), query, args...)
	if err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		d.t.Fatal(err)
	}
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			d.t.Fatal(err)
		}
		texts := make([]string, len(values))
		for i, v := range values {
			switch v := v.(type) {
			case time.Time:
				texts[i] = v.UTC().Format(time.DateTime)
			case []byte:
				texts[i] = string(v)
			default:
				texts[i] = fmt.Sprint(v)
			}
		}
		out = append(out, strings.Join(texts, " | "))
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return out
}

// one gives the only value of a query.
func (d data) one(query string, args ...any) string {
	d.t.Helper()
	rows := d.rows(query, args...)
	if len(rows) != 1 {
		d.t.Fatalf("%s: %d rows: %q", query, len(rows), rows)
	}
	return rows[0]
}

// at reads one moment.
func (d data) at(query string, args ...any) (at time.Time) {
	d.t.Helper()
	if err := d.db.QueryRowContext(d.t.Context(), query, args...).Scan(&at); err != nil {
		d.t.Fatalf("%s: %v", query, err)
	}
	return at
}

// dump is every row of every table. Without the queue's own tables it changes
// only when somebody does something.
func (d data) dump(withQueue bool) string {
	d.t.Helper()
	tables := `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1`
	if d.postgres {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`
	}
	names := d.rows(tables)
	if !slices.Contains(names, "visits") {
		d.t.Fatalf("tables %q", names)
	}
	var b strings.Builder
	for _, name := range names {
		if !withQueue && (strings.HasPrefix(name, "river_") || name == "sqlite_sequence") {
			continue
		}
		query := `SELECT * FROM "` + name + `"`
		if !withQueue && name == "messages" {
			// The demo's own message may leave at any moment.
			query += ` WHERE visit_id IS NULL OR visit_id <> (SELECT id FROM visits WHERE request_id = 'demo')`
		}
		rows := d.rows(query)
		slices.Sort(rows)
		fmt.Fprintf(&b, "%s\n%s\n", name, strings.Join(rows, "\n"))
	}
	return b.String()
}

// files is what the program has on the disk, byte by byte; empty on
// PostgreSQL.
func files(t testing.TB, env []string) string {
	t.Helper()
	var b strings.Builder
	names, _ := filepath.Glob(filepath.Join(setting(env, "DATA_DIR"), "prilavok.db*"))
	for _, name := range names {
		if setting(env, "DATA_DIR") != "" {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(content)
		}
	}
	return b.String()
}

// at gives a client that is signed in and stands in a store, by its name.
func (p *program) at(login, store string) *client {
	p.t.Helper()
	c := inspect(p.as(login))
	page := c.screen(c.get("/store"))
	for _, o := range find(page.root, tag("option")) {
		if strings.HasPrefix(textOf(o), store) {
			if a := c.post("/store", "store", attr(o, "value")); a.Status != http.StatusSeeOther {
				p.t.Fatalf("choose the store %s: %d\n%s", store, a.Status, a.Body)
			}
			return c
		}
	}
	p.t.Fatalf("no store %s for %s", store, login)
	return nil
}

const (
	moscow = "Европейский"
	ural   = "Гринвич"
)

// send fills in the form with this action on a page and sends it as a browser
// without a script would: with everything that stands in it.
func (c *client) send(page, action string, pairs ...string) answer {
	c.t.Helper()
	a := c.get(page)
	if a.Status != http.StatusOK {
		c.t.Fatalf("GET %s: %d → %s\n%s", page, a.Status, a.Location, a.Body)
	}
	values := c.screen(a).form(action)
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return c.do(http.MethodPost, action, nil, values.Encode())
}

// goesTo fails unless the answer leads there.
func (c *client) goesTo(a answer, location string) {
	c.t.Helper()
	if a.Status != http.StatusSeeOther || a.Location != location {
		c.t.Fatalf("got %d → %q, want 303 → %q\n%s", a.Status, a.Location, location, c.screen(a).text())
	}
}

// customer is what a walk through a visit is told.
type customer struct {
	phone, name string
	anonymous   bool   // no consent to personal data
	silent      bool   // no consent to messages
	unverified  bool   // goes on without the code
	promo       string // applied at its step
}

// walk begins a visit and goes through it until the step, which is left open.
// It gives the visit's address, "/visits/7".
func (c *client) walk(p *program, who customer, until domain.Step) string {
	c.t.Helper()
	a := c.send("/counter", "/visits")
	visit, ok := strings.CutSuffix(a.Location, "/age")
	if a.Status != http.StatusSeeOther || !ok {
		c.t.Fatalf("new visit: %d → %q\n%s", a.Status, a.Location, a.Body)
	}
	for next := a.Location; next != visit+"/"+string(until); {
		switch step := strings.TrimPrefix(next, visit+"/"); domain.Step(step) {
		case domain.StepAge:
			a = c.send(next, next, "age", "no_doubt")
		case domain.StepConsents:
			a = c.consent(visit, !who.anonymous, !who.silent)
		case domain.StepContact:
			a = c.send(next, next, "phone", who.phone, "name", cmp.Or(who.name, "Пётр"))
		case domain.StepCode:
			if who.unverified {
				a = c.send(next, next+"/skips")
				break
			}
			c.verify(p, visit, who.phone)
			a.Location = attr(find(c.screen(c.get(next)).root, withAttr("id", "code-next"))[0], "action")
		case domain.StepPromo:
			if who.promo != "" {
				c.goesTo(c.send(next, next, "promo", who.promo), next)
			}
			a = c.post(next, "go", "on", "promo", who.promo)
		default:
			c.t.Fatalf("the visit leads to %q on its way to %s", next, until)
		}
		if next == a.Location || a.Location == "" {
			c.t.Fatalf("no way on from %s: %d\n%s", next, a.Status, a.Body)
		}
		next = a.Location
	}
	return visit
}

// consent answers the two documents.
func (c *client) consent(visit string, personalData, communications bool) answer {
	c.t.Helper()
	path := visit + "/consents"
	values := c.screen(c.get(path)).form(path)
	for i, yes := range []bool{personalData, communications} {
		box := "consent_" + values["document"][i]
		values.Del(box)
		if yes {
			values.Set(box, "yes")
		}
	}
	return c.do(http.MethodPost, path, nil, values.Encode())
}

// sendCode sends a code, after the pause that the program asks for.
func (c *client) sendCode(visit string) {
	c.t.Helper()
	step := visit + "/code"
	a := c.send(step, step+"/sends")
	for a.Status == http.StatusTooManyRequests {
		pause, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if err != nil || pause > 2 {
			c.t.Fatalf("no code: %s", c.screen(a).text())
		}
		<-time.After(time.Duration(pause) * time.Second)
		a = c.send(step, step+"/sends")
	}
	c.goesTo(a, step)
}

// verify sends a code, reads it from the handset and types it.
func (c *client) verify(p *program, visit, phone string) {
	c.t.Helper()
	step := visit + "/code"
	c.sendCode(visit)
	c.goesTo(c.send(step, step+"/checks", "code", p.codes(phone)[0]), step)
	if !strings.Contains(c.get(step).Body, `id="code-next"`) {
		c.t.Fatalf("the phone was not verified:\n%s", c.get(step).Body)
	}
}

var leadingDigits = regexp.MustCompile(`^\d+`)

// codes are the codes that a phone has received, the newest first.
func (p *program) codes(phone string) (codes []string) {
	p.t.Helper()
	for _, text := range p.texts(phone) {
		if code := leadingDigits.FindString(text); code != "" {
			codes = append(codes, code)
		}
	}
	return codes
}

// texts are what stands on the demo handset for a phone, the newest first.
func (p *program) texts(phone string) (texts []string) {
	p.t.Helper()
	c := p.client()
	home := c.screen(c.get("/handset"))
	for _, a := range find(home.root, tag("a")) {
		number := find(a, withAttr("class", "handset-number"))
		if len(number) == 0 || national(textOf(number[0])) != national(phone) {
			continue
		}
		for _, li := range find(c.screen(c.get(attr(a, "href"))).root, tag("li")) {
			if attr(li, "class") == "handset-bubble" {
				texts = append(texts, textOf(find(li, tag("p"))[0]))
			}
		}
	}
	return texts
}

// digits keeps the digits alone, so that spellings of one number are equal.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// national is a Russian number without its prefix, +7 or 8.
func national(phone string) string {
	all := digits(phone)
	return all[max(0, len(all)-10):]
}

// wrong is a code that differs from the right one.
func wrong(code string, n int) string {
	last := (code[len(code)-1]-'0'+byte(n))%10 + '0'
	return code[:len(code)-1] + string(last)
}

// idOf is the number in a visit's address.
func idOf(visit string) string { return strings.TrimPrefix(visit, "/visits/") }

// purchase ends a visit that stands at its outcome with the first product and
// gives the answer.
func (c *client) purchase(visit string) answer {
	c.t.Helper()
	path := visit + "/outcome"
	page := c.screen(c.get(path))
	product := find(page.field("Товар"), tag("option"))[1]
	return c.send(path, path, "outcome", "purchase", "product", attr(product, "value"))
}

// withFields gives a form as it stands on a page, changed by pairs.
func withFields(values url.Values, pairs ...string) string {
	out := url.Values{}
	for name, v := range values {
		out[name] = slices.Clone(v)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out.Encode()
}
