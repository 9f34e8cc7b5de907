package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// screen is an answer as a browser without a script would build it.
type screen struct {
	t    testing.TB
	root *html.Node
}

func (c *client) screen(a answer) screen {
	c.t.Helper()
	return screen{c.t, parseHTML(c.t, a.Body)}
}

func parseHTML(t testing.TB, body string) *html.Node {
	t.Helper()
	root, err := html.ParseWithOptions(strings.NewReader(body), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// find gives every element that matches, in the order of the document.
func find(root *html.Node, match func(*html.Node) bool) (out []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			out = append(out, n)
		}
	}
	return out
}

func tag(names ...string) func(*html.Node) bool {
	return func(n *html.Node) bool { return slices.Contains(names, n.Data) }
}

func withAttr(name, value string) func(*html.Node) bool {
	return func(n *html.Node) bool { v, ok := attrOf(n, name); return ok && v == value }
}

func attrOf(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, name string) string { v, _ := attrOf(n, name); return v }

// textOf is what is read aloud of an element, every run of spaces as one.
func textOf(n *html.Node) string {
	return strings.Join(strings.Fields(rawText(n)), " ")
}

// rawText is the text of an element with every space and line of it.
func rawText(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func (s screen) text() string { return textOf(s.root) }

// byID gives nil where nothing has the id.
func (s screen) byID(id string) *html.Node {
	if found := find(s.root, withAttr("id", id)); len(found) > 0 {
		return found[0]
	}
	return nil
}

// field finds a control by its visible name, as a person does.
func (s screen) field(name string) *html.Node {
	s.t.Helper()
	for _, label := range find(s.root, tag("label")) {
		if textOf(label) == name {
			if n := s.byID(attr(label, "for")); n != nil {
				return n
			}
		}
	}
	s.t.Fatalf("no field %q on the screen:\n%s", name, s.text())
	return nil
}

// form collects what a browser would send for the form with this action if
// nothing were typed: hidden fields, values, ticks and choices. The action may
// be that of one of its buttons.
func (s screen) form(action string) url.Values {
	s.t.Helper()
	forms := find(s.root, func(n *html.Node) bool {
		return n.Data == "form" && (attr(n, "action") == action || len(find(n, withAttr("formaction", action))) > 0)
	})
	if len(forms) == 0 {
		s.t.Fatalf("no form with action %q on the screen:\n%s", action, s.text())
	}
	values := url.Values{}
	for _, n := range find(forms[0], tag("input", "select", "textarea")) {
		name := attr(n, "name")
		_, checked := attrOf(n, "checked")
		switch kind := attr(n, "type"); {
		case name == "" || (kind == "checkbox" || kind == "radio") && !checked:
		case n.Data == "select":
			values.Add(name, attr(chosen(n), "value"))
		case n.Data == "textarea":
			values.Add(name, rawText(n))
		case kind == "file": // none was chosen
		default:
			values.Add(name, attr(n, "value"))
		}
	}
	return values
}

func chosen(list *html.Node) *html.Node {
	options := find(list, tag("option"))
	for _, o := range options {
		if _, ok := attrOf(o, "selected"); ok {
			return o
		}
	}
	return options[0]
}

// inspector looks at every answer that a client gets: the headers that each
// one must have, and the HTML where it is HTML.
type inspector struct {
	t    testing.TB
	next http.RoundTripper
}

// inspect makes a client hold every answer against the rules of all pages.
func inspect(c *client) *client {
	c.http.Transport = inspector{c.t, http.DefaultTransport}
	return c
}

func (i inspector) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := i.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	where := fmt.Sprintf("%s %s: %d", r.Method, r.URL.RequestURI(), res.StatusCode)
	for name, want := range map[string]string{
		"Content-Security-Policy": contentPolicy,
		"X-Content-Type-Options":  "nosniff",
		"X-Frame-Options":         "DENY",
		"Referrer-Policy":         "same-origin",
	} {
		if got := res.Header.Get(name); got != want {
			i.t.Errorf("%s: %s is %q", where, name, got)
		}
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		if got := res.Header.Get("Cache-Control"); got != "no-store" {
			i.t.Errorf("%s: Cache-Control is %q", where, got)
		}
		for _, fault := range htmlFaults(parseHTML(i.t, string(body)), string(body)) {
			i.t.Errorf("%s: %s", where, fault)
		}
	}
	return res, nil
}

var (
	// catalogueKey is a text that no catalogue has translated: "step.age".
	catalogueKey = regexp.MustCompile(`\b[a-z][a-z_]*(\.[a-z_]+)+\b`)
	idLists      = []string{"aria-describedby", "aria-labelledby", "aria-controls", "for", "form"}
	readAloud    = []string{"aria-label", "title", "placeholder", "alt"}
)

// htmlFaults holds a page, or a part of one, against what every page promises.
func htmlFaults(root *html.Node, body string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	whole := strings.HasPrefix(strings.ToLower(body), "<!doctype html>")
	if whole {
		if n := len(find(root, tag("h1"))); n != 1 {
			fault("%d h1", n)
		}
		if titles := find(root, tag("title")); len(titles) != 1 {
			fault("%d titles", len(titles))
		} else if parts := strings.Split(textOf(titles[0]), " · "); len(slices.Compact(slices.Sorted(slices.Values(parts)))) != len(parts) || slices.Contains(parts, "") {
			fault("the title is %q", parts)
		}
		if lang := attr(find(root, tag("html"))[0], "lang"); lang != "ru" && lang != "en" {
			fault("html lang=%q", lang)
		}
	}
	ids := map[string]bool{}
	for _, n := range find(root, func(n *html.Node) bool { _, ok := attrOf(n, "id"); return ok }) {
		if id := attr(n, "id"); ids[id] || id == "" {
			fault("id %q twice or empty", id)
		}
		ids[attr(n, "id")] = true
	}
	labelled := map[string]bool{}
	for _, n := range find(root, tag("label")) {
		labelled[attr(n, "for")] = textOf(n) != ""
	}
	for _, n := range find(root, func(*html.Node) bool { return true }) {
		faults = append(faults, elementFaults(n, ids, labelled)...)
	}
	// What the parser has to mend (a nested form, a list in a paragraph)
	// shows as another number of elements than was written.
	written := map[string]int{}
	for z := html.NewTokenizer(strings.NewReader(body)); z.Next() != html.ErrorToken; {
		if token := z.Token(); token.Type == html.StartTagToken || token.Type == html.SelfClosingTagToken {
			written[token.Data]++
		}
	}
	for name, n := range written {
		// The tokenizer takes what stands in a noscript for text.
		built := len(find(root, func(e *html.Node) bool { return e.Data == name && !within(e, "noscript") }))
		if built != n {
			fault("%d <%s> written, %d built", n, name, built)
		}
	}
	return faults
}

func within(n *html.Node, name string) bool {
	for up := range n.Ancestors() {
		if up.Data == name {
			return true
		}
	}
	return false
}

func elementFaults(n *html.Node, ids, labelled map[string]bool) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("<%s id=%q>: ", n.Data, attr(n, "id"))+fmt.Sprintf(format, args...))
	}
	for _, a := range n.Attr {
		switch {
		case a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on"):
			fault("%s= is inline", a.Key)
		case strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:"):
			fault("%s=%q", a.Key, a.Val)
		case slices.Contains(readAloud, a.Key) && catalogueKey.MatchString(a.Val):
			fault("%s=%q is not translated", a.Key, a.Val)
		case slices.Contains(idLists, a.Key):
			for id := range strings.FieldsSeq(a.Val) {
				if !ids[id] {
					fault("%s=%q leads nowhere", a.Key, id)
				}
			}
		case a.Key == "href" && strings.HasPrefix(a.Val, "#") && !ids[a.Val[1:]]:
			fault("href=%q leads nowhere", a.Val)
		}
	}
	switch n.Data {
	case "style":
		fault("is inline")
	case "script":
		if n.FirstChild != nil || attr(n, "src") == "" {
			fault("is inline")
		}
		return faults
	case "input", "select", "textarea":
		if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] && attr(n, "aria-label") == "" {
			fault("name=%q has no label", attr(n, "name"))
		}
	case "button", "a":
		if textOf(n) == "" && attr(n, "aria-label") == "" {
			fault("has no name")
		}
	}
	for d := range n.ChildNodes() {
		if d.Type == html.TextNode && n.Data != "noscript" && catalogueKey.MatchString(d.Data) {
			fault("%q is not translated", d.Data)
		}
	}
	return faults
}

// The rules above must bite.
func TestHTMLFaults(t *testing.T) {
	const page = `<!DOCTYPE html><html lang="ru"><head><title>x</title></head><body><h1>x</h1>%s</body></html>`
	for name, part := range map[string]string{
		"second h1": `<h1>y</h1>`, "same id": `<p id="a"></p><p id="a"></p>`, "no label": `<input name="a" id="a">`,
		"style": `<p style="top:0">x</p>`, "style element": `<style>p{}</style>`, "script": `<script>x</script>`,
		"handler": `<p onclick="x">x</p>`, "address": `<a href="javascript:x">x</a>`, "key": `<p>step.age</p>`,
		"key in a name": `<p aria-label="a.b_c">x</p>`, "nowhere": `<a href="#x">x</a>`, "nested forms": `<form><form></form></form>`,
		"list in a paragraph": `<p><ul></ul></p>`, "nameless": `<button></button>`,
		"second title": `<title>y</title>`,
	} {
		if body := fmt.Sprintf(page, part); len(htmlFaults(parseHTML(t, body), body)) == 0 {
			t.Errorf("%s: no fault found", name)
		}
	}
	if body := fmt.Sprintf(page, `<form><label for="a">A</label><input id="a" name="a"></form>`); len(htmlFaults(parseHTML(t, body), body)) > 0 {
		t.Errorf("a sound page: %v", htmlFaults(parseHTML(t, body), body))
	}
}
