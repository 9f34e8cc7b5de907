package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// ready is a form with everything in place to send it.
type ready struct {
	c            *client
	page, action string
	visit        string // or the address of what is acted on instead
}

// made is what a case may use to make what its form is about.
type made struct {
	c     *client // who has served the visit
	p     *program
	db    data
	visit string
	phone string // of the visit
	n     int    // makes things differ, as for prepare
}

// cast are the clients that cases share, since signing in takes its time. A
// form that ends or changes a session gets a client of its own.
type cast map[string]*client

func (all cast) client(t *testing.T, p *program, login string, own bool) *client {
	t.Helper()
	switch {
	case login == "nobody":
		return inspect(p.client())
	case own:
		return inspect(p.as(login))
	case all[login] == nil:
		all[login] = p.as(login)
	}
	all[login].t = t
	return inspect(all[login])
}

// prepare walks to a form; n makes phones differ between the visits of a case.
func (f formCase) prepare(t *testing.T, p *program, db data, all cast, n int) ready {
	t.Helper()
	r := ready{c: all.client(t, p, cmp.Or(f.login, "anna"), f.whole)}
	if f.until != "" {
		who, server := f.who, r.c
		if f.served {
			server = all.client(t, p, "anna", false)
		}
		who.phone = numbered(who.phone, n)
		r.visit = server.walk(p, who, f.until)
		if f.before != nil {
			f.before(server, p, r.visit)
		}
		if f.rows != nil {
			f.rows(db, idOf(r.visit))
		}
		if f.made != nil {
			r.visit = f.made(made{server, p, db, r.visit, who.phone, n})
		}
	} else if f.made != nil {
		r.visit = f.made(made{p: p, db: db, n: n})
	}
	r.page, r.action = strings.Replace(f.page, ".", r.visit, 1), strings.Replace(f.action, ".", r.visit, 1)
	return r
}

func numbered(text string, n int) string {
	if strings.Contains(text, "%d") {
		return fmt.Sprintf(text, n)
	}
	return text
}

// fill gives the form as it stands on its page with these pairs filled in.
func (f formCase) fill(p *program, r ready, n int, pairs []string, drop string) string {
	r.c.t.Helper()
	a := r.c.get(r.page)
	if a.Status != http.StatusOK {
		r.c.t.Fatalf("GET %s: %d → %q", r.page, a.Status, a.Location)
	}
	values := r.c.screen(a).form(r.action)
	values.Del(drop)
	pairs = slices.Clone(pairs)
	for i, v := range pairs {
		switch pairs[i] = numbered(v, n); pairs[i] {
		case "right":
			pairs[i] = p.codes(numbered(f.who.phone, n))[0]
		case "demo":
			pairs[i] = p.promoCode()
		case "lines":
			pairs[i] = importHead + "\n" + checkedCodes[n] + ";15;;1;\n"
		}
	}
	return withFields(values, pairs...)
}

var asPart = http.Header{"Hx-Request": {"true"}, "Hx-Request-Type": {"partial"}}

func TestForms(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		// Every case signs in anew, and one code is applied many times over.
		p := start(t, append(env, "CODE_RESEND_AFTER=1s", "SIGN_IN_ATTEMPTS=1000", "SIGN_IN_ATTEMPTS_PER_ADDRESS=1000", "CODE_TRIES_PER_ADVISOR=1000")...)
		db := openData(t, env)
		all := cast{}
		for _, f := range slices.Concat(formCases, officeCases, templateCases) {
			t.Run(f.name, func(t *testing.T) {
				p := *p
				p.t = t
				f.test(t, &p, db, all)
			})
		}
	})
}

func (f formCase) test(t *testing.T, p *program, db data, all cast) {
	r := f.prepare(t, p, db, all, 1)
	before := db.dump(false)
	for _, bad := range f.bad {
		form := f.fill(p, r, 1, bad.pairs, bad.drop)
		about := fmt.Sprintf("%q", bad.pairs)
		page := r.c.do(http.MethodPost, r.action, nil, form)
		if !strings.HasPrefix(page.Body, "<!doctype html>") {
			t.Errorf("%s as a page: no whole document", about)
		}
		bad.holds(t, r.c, page, about+" as a page")
		part := r.c.do(http.MethodPost, r.action, asPart, form)
		bad.holds(t, r.c, part, about+" as a part")
		f.isPart(t, r.c, part, about)
	}
	f.testUnseen(t, p, r)
	if after := db.dump(false); after != before && !f.records {
		t.Errorf("bad input left a trace:\n%s", difference(before, after))
	}
	before = db.dump(false)
	good := f.fill(p, r, 1, f.good, "")
	for name, header := range map[string]http.Header{
		"another site":                {"Sec-Fetch-Site": {"cross-site"}},
		"a sister site":               {"Sec-Fetch-Site": {"same-site"}},
		"another origin":              {"Origin": {"https://prilavok.example"}},
		"no origin":                   {"Origin": {"null"}},
		"another site through htmx":   {"Sec-Fetch-Site": {"cross-site"}, "Hx-Request": {"true"}, "Hx-Request-Type": {"partial"}},
		"another site, as JavaScript": {"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}},
	} {
		a := r.c.do(http.MethodPost, r.action, header, good)
		if a.Status != http.StatusForbidden || len(a.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("from %s: %d, Set-Cookie %q", name, a.Status, a.Header.Values("Set-Cookie"))
		}
	}
	if after := db.dump(false); after != before {
		t.Errorf("another site left a trace:\n%s", difference(before, after))
	}
	f.testForeign(t, all.client(t, p, "timur", f.whole), db, r, good)

	a := r.c.do(http.MethodPost, r.action, http.Header{"Sec-Fetch-Site": {"same-origin"}}, good)
	f.succeeds(t, r, a, a.Location, http.StatusSeeOther)

	// The same by htmx, with a visit of its own, and pasted.
	r = f.prepare(t, p, db, all, 2)
	a = r.c.do(http.MethodPost, r.action, asPart, f.asPasted(r, f.fill(p, r, 2, f.good, "")))
	if f.leads == "" {
		f.isPart(t, r.c, a, "good")
	} else if a.Body != "" {
		t.Errorf("a success by htmx has a body: %s", a.Body)
	}
	header := "HX-Location"
	if f.whole {
		header = "HX-Redirect"
	}
	f.succeeds(t, r, a, a.Header.Get(header), http.StatusOK)
	for line := range strings.Lines(db.dump(false)) {
		if strings.ContainsAny(line, unseen) {
			t.Errorf("what nobody sees was kept: %+q", line)
		}
	}
}

// testForeign sends the good form of one advisor as another one, who works
// elsewhere.
func (f formCase) testForeign(t *testing.T, other *client, db data, r ready, good string) {
	if f.foreign == "not asked" {
		return
	}
	before := db.dump(false)
	a := other.do(http.MethodPost, r.action, nil, good)
	want := f.foreign
	if want == "" {
		want = "404"
	}
	got := short(a, idOf(r.visit))
	if got != want {
		t.Errorf("by another advisor: %s, want %s", got, want)
	}
	if after := db.dump(false); after != before {
		t.Errorf("another advisor left a trace:\n%s", difference(before, after))
	}
}

func (f formCase) succeeds(t *testing.T, r ready, a answer, location string, status int) {
	t.Helper()
	want := strings.Replace(f.leads, ".", r.visit, 1)
	switch {
	case f.leads == "":
		status = http.StatusOK
	case f.leads == "new" && strings.HasPrefix(location, "/visits/") && strings.HasSuffix(location, "/age"):
		want = location
	case f.leads == "/promo-codes?batch=new" && newBatch.MatchString(location):
		want = location
	}
	if a.Status != status || location != want {
		t.Errorf("good input: %d → %q, want %d → %q\n%s", a.Status, location, status, want, a.Body)
	}
}

// isPart holds that an answer is the one section that htmx swaps in.
func (f formCase) isPart(t *testing.T, c *client, a answer, about string) {
	t.Helper()
	body := find(c.screen(a).root, tag("body"))[0]
	var roots []*html.Node
	for n := range body.ChildNodes() {
		if n.Type == html.ElementNode {
			roots = append(roots, n)
		}
	}
	if len(roots) != 1 || attr(roots[0], "id") != f.section || strings.Contains(a.Body, "<html") {
		t.Errorf("%s as a part: not the section %q alone:\n%s", about, f.section, a.Body)
	}
	if vary := strings.Join(a.Header.Values("Vary"), ", "); !strings.Contains(vary, "HX-Request") || a.Header.Get("Prilavok-Part") == "" {
		t.Errorf("%s as a part: Vary %q, Prilavok-Part %q", about, vary, a.Header.Get("Prilavok-Part"))
	}
}

// holds checks that a fault is told in the summary and beside its field, and
// that nothing typed is lost.
func (b badInput) holds(t *testing.T, c *client, a answer, about string) {
	t.Helper()
	s := c.screen(a)
	if a.Status != http.StatusUnprocessableEntity {
		t.Errorf("%s: %d", about, a.Status)
	}
	boxes := find(s.root, withAttr("data-error-summary", ""))
	if len(boxes) != 1 || attr(boxes[0], "role") != "alert" {
		t.Errorf("%s: %d summaries", about, len(boxes))
		return
	}
	lines := find(boxes[0], tag("li"))
	if len(lines) != max(1, len(b.faults)) {
		t.Errorf("%s: the summary has %d lines: %s", about, len(lines), textOf(boxes[0]))
	}
	for i, field := range b.faults {
		beside, control := s.byID(field+"-error"), s.byID(field)
		if beside == nil || control == nil {
			t.Errorf("%s: nothing beside %s", about, field)
			continue
		}
		if i < len(lines) {
			link := find(lines[i], tag("a"))
			if len(link) != 1 || attr(link[0], "href") != "#"+field || !strings.HasSuffix(textOf(beside), textOf(link[0])) {
				t.Errorf("%s: line %d of the summary is %q, beside the field stands %q", about, i, textOf(lines[i]), textOf(beside))
			}
		}
		marked := control
		if attr(control, "type") == "radio" {
			// A group has no aria-invalid; its fault describes the group.
			for marked.Data != "fieldset" {
				marked = marked.Parent
			}
		} else if attr(control, "aria-invalid") != "true" {
			t.Errorf("%s: %s is not marked aria-invalid", about, field)
		}
		if !slices.Contains(strings.Fields(attr(marked, "aria-describedby")), field+"-error") {
			t.Errorf("%s: %s is not described by its fault", about, field)
		}
	}
	for _, n := range find(s.root, withAttr("aria-invalid", "true")) {
		if !slices.Contains(b.faults, attr(n, "id")) {
			t.Errorf("%s: %s is marked for nothing", about, attr(n, "id"))
		}
	}
	for field, want := range b.kept {
		if got := typedIn(s, field); got != want {
			t.Errorf("%s: %s holds %q, want %q", about, field, got, want)
		}
	}
}

// typedIn is what stands in a field, or which choice of a group is picked.
func typedIn(s screen, name string) string {
	for _, n := range find(s.root, withAttr("name", name)) {
		_, picked := attrOf(n, "checked")
		switch kind := attr(n, "type"); {
		case n.Data == "select":
			return attr(chosen(n), "value")
		case n.Data == "textarea":
			return rawText(n)
		case kind != "radio" && kind != "checkbox" || picked:
			return attr(n, "value")
		}
	}
	return ""
}

// difference gives the lines that only one of two dumps has.
func difference(before, after string) string {
	var out []string
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range old {
		if !slices.Contains(now, line) {
			out = append(out, "- "+line)
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			out = append(out, "+ "+line)
		}
	}
	return strings.Join(out, "\n")
}
