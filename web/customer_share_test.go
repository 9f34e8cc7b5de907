package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"

	"prilavok/sql/sqltest"
)

// tray stands for what a phone shares and copies with: it keeps what it is given.
const tray = `window.given = [];
	Object.defineProperty(Navigator.prototype, "share", {value: async (what) => { given.push("share " + JSON.stringify(what)); }, configurable: true});
	Object.defineProperty(Navigator.prototype, "clipboard", {get: () => ({writeText: async (text) => { given.push("copy " + JSON.stringify({text})); }}), configurable: true});`

// What a customer sends to a friend, in every way that a page has, is the code
// with what it gives, and never the way to the customer's own page.
func TestCustomerSharesInABrowser(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	browser(t)
	env := []string{"DATA_DIR=" + t.TempDir(), "MESSAGES_PER_WEEK=100"}
	p := start(t, env...)
	db := openData(t, env)
	// Characters that mean something in an address.
	db.exec(`UPDATE programmes SET brand = 'Дом & Сад + «Co» 100%'`)
	_, own := inspect(p.as("anna")).buys(p, db, "+79165600001", "")
	code := db.one(`SELECT code FROM promo_codes WHERE source_visit_id = (SELECT max(id) FROM visits)`)
	want := fmt.Sprintf("Промокод %s %s %s: скидка 15\u00a0%% в Дом & Сад + «Co» 100%%.", code[:3], code[3:6], code[6:])
	about := func(how, text string) {
		t.Helper()
		if !strings.HasPrefix(text, want) || !strings.Contains(text, "Действует до") || strings.Contains(text, "/m/") || strings.Contains(text, p.URL) {
			t.Errorf("%s: %q", how, text)
		}
	}

	w := newWindow(t, p.URL)
	w.dress(390, 844, "light")
	must(w, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: tray})
	w.open(own)
	w.press("Поделиться")
	w.press("Скопировать")
	w.see("Скопировано")
	given, err := eval[[]string](w, `given`)
	if err != nil || len(given) != 2 {
		t.Fatalf("given %q, %v", given, err)
	}
	for _, g := range given {
		how, what, _ := strings.Cut(g, " ")
		var fields map[string]string
		if err := json.Unmarshal([]byte(what), &fields); err != nil || len(fields) != 1 {
			t.Errorf("%s: %s, %v", how, what, err)
		}
		about(how, fields["text"])
	}

	// Without scripts there are three plain links, and no button that is dead.
	w = newWindow(t, p.URL).withoutScripts()
	w.dress(390, 844, "light")
	w.open(own)
	w.see("SMS", "WhatsApp", "Telegram")
	w.gone("Поделиться")
	w.gone("Скопировать")
	guest := inspect(p.client())
	places := map[string]string{"sms:": "body", "https://wa.me/": "text", "https://t.me/share/url": "url"}
	for _, n := range find(guest.screen(guest.get(own)).root, tag("a")) {
		u, err := url.Parse(attr(n, "href"))
		if err != nil {
			t.Error(err)
			continue
		}
		where := strings.TrimSuffix((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), "//")
		field, ok := places[where]
		if !ok {
			continue
		}
		delete(places, where)
		about(where, u.Query().Get(field))
		if strings.Contains(u.RawQuery, "+") {
			t.Errorf("%s: a plus, which is no space everywhere: %s", where, u.RawQuery)
		}
		// The other site is not told where its visitor comes from.
		if rel := strings.Fields(attr(n, "rel")); u.Host != "" && (!slices.Contains(rel, "noreferrer") || !slices.Contains(rel, "noopener")) {
			t.Errorf("%s: rel %q", where, rel)
		}
	}
	if len(places) > 0 {
		t.Errorf("no link to %v", places)
	}
}

// The smallest phone that is still around is 320 wide.
func TestCustomersPageOnASmallPhoneInABrowser(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	browser(t)
	env := []string{"DATA_DIR=" + t.TempDir(), "MESSAGES_PER_WEEK=100"}
	p := start(t, env...)
	db := openData(t, env)
	walkCustomer(t, p, db, func(name string, w *window) {
		for _, theme := range []string{"light", "dark"} {
			w.dress(320, 640, theme)
			found, err := eval[looks](w, judge)
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range slices.Concat(found.Texts, found.Targets, found.Overflow) {
				t.Errorf("%s, %s: %s", name, theme, fault)
			}
		}
		w.dress(1024, 768, "light")
	})
}
