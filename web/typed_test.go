package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// unseen is a text in which nobody sees anything: marks of direction, a space
// without width, one that does not break, a joiner, a byte order mark.
const unseen = "\u2066\u200b\u00a0\u200d\ufeff\u2069"

// pasted is a text as it comes out of a messenger or a contact list.
func pasted(text string) string { return "\u2066" + text + "\u2069\u200b\u00a0" }

// refusing are the fields in which an unseen character is told and not taken
// out: a text that is sent to customers.
var refusing = []string{"body"}

// typedInto lists the fields of a form that people type or paste into. A
// password is not among them: it counts as it is.
func typedInto(form *html.Node) (names []string) {
	for _, n := range find(form, tag("input", "textarea")) {
		kind := attr(n, "type")
		if name := attr(n, "name"); name != "" && !slices.Contains([]string{"hidden", "password", "radio", "checkbox", "file", "submit"}, kind) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// typedFields are those of the form that is sent to an address.
func (c *client) typedFields(page, action string) []string {
	c.t.Helper()
	for _, n := range find(c.screen(c.get(page)).root, tag("form")) {
		if attr(n, "action") == action || len(find(n, withAttr("formaction", action))) > 0 {
			return typedInto(n)
		}
	}
	c.t.Fatalf("%s has no form for %s", page, action)
	return nil
}

// verdict is what an answer says of a form: its status and the faulty fields.
func (c *client) verdict(a answer) string {
	c.t.Helper()
	faulty := []string{}
	for _, n := range find(c.screen(a).root, func(n *html.Node) bool { return strings.HasSuffix(attr(n, "id"), "-error") }) {
		faulty = append(faulty, attr(n, "id"))
	}
	return fmt.Sprint(a.Status, " ", faulty)
}

// testUnseen holds that no field of a form makes a difference between what is
// typed and the same with what nobody sees, and takes that alone for nothing.
func (f formCase) testUnseen(t *testing.T, p *program, r ready) {
	t.Helper()
	fields := r.c.typedFields(r.page, r.action)
	for _, bad := range f.bad {
		form := f.fill(p, r, 1, bad.pairs, bad.drop)
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		says := func(field, text string) string {
			return r.c.verdict(r.c.do(http.MethodPost, r.action, asPart, withFields(values, field, text)))
		}
		for _, field := range fields {
			if got, want := says(field, unseen), says(field, ""); got != want {
				t.Errorf("%q with nothing to be seen in %s: %s, empty: %s", bad.pairs, field, got, want)
			}
			if slices.Contains(refusing, field) {
				continue
			}
			typed := values.Get(field)
			if got, want := says(field, pasted(typed)), says(field, typed); got != want {
				t.Errorf("%q with %s as it is pasted: %s, typed: %s", bad.pairs, field, got, want)
			}
		}
	}
}

// asPasted makes of a form one whose fields were pasted.
func (f formCase) asPasted(r ready, form string) string {
	r.c.t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		r.c.t.Fatal(err)
	}
	for _, field := range r.c.typedFields(r.page, r.action) {
		if !slices.Contains(refusing, field) {
			values.Set(field, pasted(values.Get(field)))
		}
	}
	return values.Encode()
}

// Every form of the program that is sent has its case in TestForms, where each
// of its fields is typed into with what nobody sees; or it says here why not.
func TestEveryFormHasItsCase(t *testing.T) {
	without := map[string]string{
		"/c/:token/checks":        "TestPastedByCustomers",
		"/c/:token/sends":         "no field",
		"/m/:token/stop":          "no field",
		"/m/:token/data-requests": "no field",
		"/m/:token/erasure":       "TestPastedByCustomers",
		"/templates/:programme/:kind/:language/preview": "the same form as for saving",
		"/g/:key/reports":                "nobody types it",
		"/g/:key/incoming":               "nobody types it",
		"/handset/messages/:id/sendings": "no field",
	}
	for _, route := range routes {
		if route.method != http.MethodPost {
			continue
		}
		has := slices.ContainsFunc(slices.Concat(formCases, officeCases, templateCases), func(f formCase) bool { return fits(f.action, route.path) })
		if _, said := without[route.path]; has == said {
			t.Errorf("%s: has a case: %t, said to have none: %t", route.path, has, said)
		}
	}
}

// fits tells whether a case's address is one of a route.
func fits(action, route string) bool {
	if tail, ok := strings.CutPrefix(action, "./"); ok {
		return strings.HasSuffix(route, "/"+tail)
	}
	a, r := strings.Split(action, "/"), strings.Split(route, "/")
	return len(a) == len(r) && !slices.ContainsFunc(r, func(part string) bool {
		i := slices.Index(r, part)
		return !strings.HasPrefix(part, ":") && part != a[i]
	})
}

// Whatever narrows a list finds what was pasted as well as what was typed.
func TestPastedSearches(t *testing.T) {
	t.Parallel()
	env := []string{"DATA_DIR=" + t.TempDir()}
	p := start(t, env...)
	admin := p.as("admin")
	typed := map[string]string{"q": p.promoCode(), "day": time.Now().UTC().Format(time.DateOnly)}
	found := map[string]bool{}
	for _, route := range routes {
		if route.method != http.MethodGet || strings.ContainsAny(route.path, ":*.") || route.access != supervisors && route.access != administrators {
			continue
		}
		for _, n := range find(inspect(admin).screen(admin.get(route.path)).root, tag("form")) {
			if !strings.EqualFold(attr(n, "method"), "get") {
				continue
			}
			for _, field := range typedInto(n) {
				text, ok := typed[field]
				if !ok {
					t.Errorf("%s: nobody has said what is typed into %s", route.path, field)
				}
				found[field] = true
				look := func(text string) answer { return admin.get(route.path + "?" + form(field, text)) }
				body := func(text string) string {
					_, main, _ := strings.Cut(look(text).Body, "<main")
					return main
				}
				if a := look(text); a.Status != http.StatusOK {
					t.Errorf("%s, %s=%q: %d", route.path, field, text, a.Status)
				}
				if body(text) == body("") {
					t.Errorf("%s: %s=%q narrows nothing", route.path, field, text)
				}
				if got, want := body(pasted(text)), body(text); got != want {
					t.Errorf("%s, %s as it is pasted:\n%s", route.path, field, difference(want, got))
				}
				if got, want := body(unseen), body(""); got != want {
					t.Errorf("%s, nothing to be seen in %s:\n%s", route.path, field, difference(want, got))
				}
			}
		}
	}
	for field := range typed {
		if !found[field] {
			t.Errorf("no list has the field %s", field)
		}
	}
}

// The same on the customer's own two pages.
func TestPastedByCustomers(t *testing.T) {
	t.Parallel()
	env := []string{"DATA_DIR=" + t.TempDir(), "MESSAGES_PER_WEEK=100"}
	p := start(t, env...)
	db := openData(t, env)
	anna, guest := inspect(p.as("anna")), inspect(p.client())
	const phone = "+7 916 540 00 02"
	visit := anna.walkTo(p, phone)
	anna.get(visit + "/code") // draws the address of the QR
	page := "/c/" + db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(visit))
	code := p.codes(phone)[0]
	says := func(page, action, field, text string) string {
		return guest.verdict(guest.send(page, action, field, text))
	}
	if got, want := guest.typedFields(page, page+"/checks"), []string{"code"}; !slices.Equal(got, want) {
		t.Errorf("typed on the page for the code: %q", got)
	}
	if got, want := says(page, page+"/checks", "code", unseen), says(page, page+"/checks", "code", ""); got != want || !strings.HasPrefix(got, "422") {
		t.Errorf("nothing to be seen: %s, empty: %s", got, want)
	}
	if a := guest.send(page, page+"/checks", "code", pasted(wrong(code, 1))); !strings.Contains(a.Body, "Код не подошёл") {
		t.Errorf("a wrong code that was pasted: %d\n%s", a.Status, guest.screen(a).text())
	}
	guest.goesTo(guest.send(page, page+"/checks", "code", pasted(code)), page)
	if got := db.one(`SELECT verified_at IS NOT NULL FROM visits WHERE id = $1`, idOf(visit)); got != "1" && got != "true" {
		t.Errorf("verified: %s", got)
	}

	const buyer = "+79165400003"
	_, own := anna.buys(p, db, buyer, "")
	if got, want := guest.typedFields(own+"/erasure", own+"/erasure"), []string{"phone"}; !slices.Equal(got, want) {
		t.Errorf("typed on the page for the erasure: %q", got)
	}
	if got, want := says(own+"/erasure", own+"/erasure", "phone", unseen), says(own+"/erasure", own+"/erasure", "phone", ""); got != want || !strings.HasPrefix(got, "422") {
		t.Errorf("nothing to be seen: %s, empty: %s", got, want)
	}
	guest.goesTo(guest.send(own+"/erasure", own+"/erasure", "sure", "yes", "phone", pasted("8 (916) 540-00-03")), "/m/erased")
	if err := check(t.Context(), env, newOutput()); err != nil {
		t.Error(err)
	}
}
