package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"prilavok/domain"
)

// person is a column of the access table.
type person int

const (
	nobody person = iota
	anna          // advisor in Moscow; the visits of this test are hers
	timur         // advisor in Yekaterinburg
	olga          // advisor of both stores, who has chosen Moscow
	lost          // the same without a chosen store
	vera          // supervisor of both stores
	zoya          // supervisor of Yekaterinburg only
	admin
	people
)

// accessRow says what everybody gets at one route. An answer is "ok" (200),
// "bad" (422), "403", "404", or the address that a 303 leads to, with ":id"
// for the visit's id; "in" is short for /sign-in and "store" for /store.
type accessRow struct {
	method, path string
	form         []string
	want         [people]string
	ended        string // what anna gets for a visit that has ended
}

// ofVisit is a row about anna's visit that only she may enter.
func ofVisit(method, tail, want, ended string, form ...string) accessRow {
	return accessRow{method, "/visits/:id" + tail, form, [people]string{"in", want, "404", "404", "store", "403", "403", "403"}, ended}
}

// office is a room of supervisors, the same for all of a programme.
func office(want string) [people]string {
	return [people]string{"in", "403", "403", "403", "403", want, want, want}
}

// administration is a room of administrators.
func administration(want string) [people]string {
	return [people]string{"in", "403", "403", "403", "403", "403", "403", want}
}

const summary = "/visits/:id/summary"

var accessTable = []accessRow{
	//                                      nobody    anna         timur       olga        lost        vera       zoya       admin
	{"GET", "/healthz", nil, [people]string{"ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"}, ""},
	{"GET", "/readyz", nil, [people]string{"ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"}, ""},
	{"GET", "/sign-in", nil, [people]string{"ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"}, ""},
	{"POST", "/sign-in", nil, [people]string{"bad", "bad", "bad", "bad", "bad", "bad", "bad", "bad"}, ""},
	{"POST", "/language", nil, [people]string{"/", "/", "/", "/", "/", "/", "/", "/"}, ""},

	{"GET", "/", nil, [people]string{"in", "/counter", "/counter", "/counter", "/counter", "/visits", "/visits", "/visits"}, ""},
	{"GET", "/store", nil, [people]string{"in", "ok", "ok", "ok", "ok", "403", "403", "403"}, ""},
	{"POST", "/store", nil, [people]string{"in", "bad", "bad", "bad", "bad", "403", "403", "403"}, ""},
	{"GET", "/promo-check", nil, [people]string{"in", "ok", "ok", "ok", "store", "ok", "ok", "ok"}, ""},
	{"POST", "/promo-check", nil, [people]string{"in", "bad", "bad", "bad", "store", "bad", "bad", "bad"}, ""},

	{"GET", "/counter", nil, [people]string{"in", "ok", "ok", "ok", "store", "403", "403", "403"}, ""},
	{"POST", "/visits", []string{"request_id", "unique"}, [people]string{"in", "/visits/:id/age", "/visits/:id/age", "/visits/:id/age", "store", "403", "403", "403"}, ""},

	ofVisit("GET", "/age", "ok", summary),
	ofVisit("POST", "/age", "bad", summary),
	ofVisit("GET", "/consents", "ok", summary),
	ofVisit("POST", "/consents", "bad", summary),
	ofVisit("GET", "/contact", "ok", summary),
	ofVisit("POST", "/contact", "bad", summary),
	ofVisit("GET", "/code", "ok", summary),
	ofVisit("GET", "/code/help", "ok", summary),
	ofVisit("POST", "/code/sends", "/visits/:id/code", summary, "request_id", "unique"),
	ofVisit("POST", "/code/checks", "bad", summary),
	ofVisit("POST", "/code/skips", "/visits/:id/outcome", summary),
	ofVisit("POST", "/code/deferrals", "/visits/:id/code", summary),
	ofVisit("GET", "/code/qr", "ok", "404"),
	ofVisit("GET", "/code/status", "/visits/:id/code", summary),
	ofVisit("GET", "/promo", "ok", summary),
	ofVisit("POST", "/promo", "bad", summary),
	ofVisit("POST", "/promo/releases", "/visits/:id/promo", summary),
	ofVisit("GET", "/outcome", "ok", summary),
	ofVisit("POST", "/outcome", "bad", summary),
	ofVisit("POST", "/gifts", "409", summary, "gift", "1"), // the phone of this visit is not verified
	ofVisit("GET", "/summary", "/visits/:id/outcome", "ok"),

	{"GET", "/visits", nil, [people]string{"in", "403", "403", "403", "403", "ok", "ok", "ok"}, ""},
	{"GET", "/visits/:id", nil, [people]string{"in", "/visits/:id/outcome", "404", "404", "store", "ok", "404", "ok"}, summary},

	{"GET", "/limits", nil, [people]string{"in", "403", "403", "403", "403", "ok", "ok", "ok"}, ""},
	{"GET", "/limits/:id", nil, [people]string{"in", "403", "403", "403", "403", "ok", "404", "ok"}, ""},
	{"POST", "/limits/:id/lifts", []string{"request_id", "unique"}, [people]string{"in", "403", "403", "403", "403", "bad", "404", "bad"}, ""},
	{"GET", "/visits/:id/void", nil, [people]string{"in", "403", "403", "403", "403", "409", "404", "409"}, "403"},
	{"POST", "/visits/:id/void", []string{"reason", "Вернули товар"}, [people]string{"in", "403", "403", "403", "403", "409", "404", "409"}, "403"},
	{"GET", "/promo-codes", nil, office("ok"), ""},
	{"GET", "/promo-codes.csv", nil, office("ok"), ""},
	{"GET", "/promo-codes/:id", nil, office("ok"), ""},
	{"GET", "/promo-codes/:id/freezes", nil, office("ok"), ""},
	{"POST", "/promo-codes/:id/freezes", nil, office("bad"), ""},
	{"GET", "/promo-codes/:id/thaws", nil, office("ok"), ""},
	{"POST", "/promo-codes/:id/thaws", nil, office("bad"), ""},
	{"GET", "/promo-codes/:id/extensions", nil, office("ok"), ""},
	{"POST", "/promo-codes/:id/extensions", nil, office("bad"), ""},
	{"GET", "/promo-batches", nil, office("ok"), ""},
	{"GET", "/promo-batches/new", nil, office("ok"), ""},
	{"POST", "/promo-batches/new", nil, office("bad"), ""},
	{"GET", "/promo-batches/import", nil, office("ok"), ""},
	{"POST", "/promo-batches/import", nil, office("bad"), ""},

	// A message and an SMS of Moscow, which zoya does not supervise.
	{"GET", "/messages", nil, office("ok"), ""},
	{"GET", "/messages/:id", nil, [people]string{"in", "403", "403", "403", "403", "ok", "404", "ok"}, ""},
	{"GET", "/incoming", nil, office("ok"), ""},
	{"POST", "/incoming/:id/seen", nil, [people]string{"in", "403", "403", "403", "403", "/incoming", "404", "/incoming"}, ""},
	{"GET", "/incoming/:id/stops", nil, [people]string{"in", "403", "403", "403", "403", "ok", "404", "ok"}, ""},
	{"POST", "/incoming/:id/stops", nil, [people]string{"in", "403", "403", "403", "403", "/incoming", "404", "/incoming"}, ""},
	{"GET", "/withdrawals", nil, office("ok"), ""},
	{"POST", "/withdrawals", []string{"request_id", "unique"}, office("bad"), ""},

	{"GET", "/stores", nil, [people]string{"in", "403", "403", "403", "403", "403", "403", "ok"}, ""},
	{"POST", "/stores/:id/self-entry", []string{"self_entry", "no"}, [people]string{"in", "403", "403", "403", "403", "403", "403", "/stores"}, ""},
	{"GET", "/gateways", nil, [people]string{"in", "403", "403", "403", "403", "403", "403", "ok"}, ""},

	{"GET", "/templates", nil, administration("ok"), ""},
	{"GET", "/templates/:programme/:kind/:language", nil, administration("ok"), ""},
	{"POST", "/templates/:programme/:kind/:language", nil, administration("bad"), ""},
	{"POST", "/templates/:programme/:kind/:language/preview", nil, administration("bad"), ""},
	{"POST", "/templates/:programme/:kind/:language/restorations", nil, administration("bad"), ""},
	{"POST", "/templates/:programme/:kind/:language/trials", nil, administration("bad"), ""},

	// The customer's page asks nobody who they are.
	{"GET", "/c/:token", nil, [people]string{"ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"}, ""},
	{"POST", "/c/:token/checks", nil, [people]string{"bad", "bad", "bad", "bad", "bad", "bad", "bad", "bad"}, ""},
	{"POST", "/c/:token/sends", nil, [people]string{"bad", "bad", "bad", "bad", "bad", "bad", "bad", "bad"}, ""},

	// Neither do the pages by the link in an SMS.
	{"GET", "/m/erased", nil, everyone("ok"), ""},
	{"GET", "/m/:token", nil, everyone("ok"), ""},
	{"GET", "/m/:token/codes/:id/qr", nil, everyone("ok"), ""},
	{"GET", "/m/:token/stop", nil, everyone("ok"), ""},
	{"POST", "/m/:token/stop", nil, everyone("/m/:token/stop"), ""},
	{"POST", "/m/:token/data-requests", nil, everyone("/m/:token/data"), ""},
	{"GET", "/m/:token/data", nil, everyone("ok"), ""},
	{"GET", "/m/:token/erasure", nil, everyone("ok"), ""},
	{"POST", "/m/:token/erasure", nil, everyone("bad"), ""},

	// A gateway's address that is nobody's does not exist, whoever asks.
	{"GET", "/g/:key/reports", nil, [people]string{"404", "404", "404", "404", "404", "404", "404", "404"}, ""},
	{"POST", "/g/:key/reports", nil, [people]string{"404", "404", "404", "404", "404", "404", "404", "404"}, ""},
	{"GET", "/g/:key/incoming", nil, [people]string{"404", "404", "404", "404", "404", "404", "404", "404"}, ""},
	{"POST", "/g/:key/incoming", nil, [people]string{"404", "404", "404", "404", "404", "404", "404", "404"}, ""},

	{"GET", "/handset", nil, [people]string{"ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok"}, ""},
	{"POST", "/handset/messages/:id/sendings", nil, [people]string{"/handset", "/handset", "/handset", "/handset", "/handset", "/handset", "/handset", "/handset"}, ""},

	// The last one: it ends every session.
	{"POST", "/sign-out", nil, [people]string{"in", "in", "in", "in", "in", "in", "in", "in"}, ""},
}

// everyone gets the same, whoever they are.
func everyone(what string) (want [people]string) {
	for i := range want {
		want[i] = what
	}
	return want
}

// crowd signs everybody in. The second supervisor is added past the program,
// which has no screen for staff yet; her password is vera's.
func crowd(p *program, db data) [people]*client {
	db.exec(`INSERT INTO staff (login, name, role, language, password_hash, active, created_at)
		SELECT 'zoya', 'Зоя', role, language, password_hash, active, created_at FROM staff WHERE login = 'vera'`)
	db.exec(`INSERT INTO staff_stores (staff_id, store_id)
		SELECT s.id, st.id FROM staff s, stores st WHERE s.login = 'zoya' AND st.name = $1`, ural)
	everybody := [people]*client{
		nobody: p.client(), anna: p.as("anna"), timur: p.as("timur"), olga: p.at("olga", moscow), lost: p.as("olga"),
		vera: p.as("vera"), zoya: p.as("zoya"), admin: p.as("admin"),
	}
	for _, c := range everybody {
		inspect(c)
	}
	return everybody
}

// short turns an answer into the words of the table.
func short(a answer, id string) string {
	location, _, _ := strings.Cut(a.Location, "?")
	switch {
	case a.Status == http.StatusOK:
		return "ok"
	case a.Status == http.StatusUnprocessableEntity:
		return "bad"
	case a.Status != http.StatusSeeOther:
		return fmt.Sprint(a.Status)
	case location == "/sign-in":
		return "in"
	case location == "/store":
		return "store"
	}
	if id == "" && strings.HasSuffix(location, "/age") {
		return "/visits/:id/age" // a visit that has just begun
	}
	return strings.Replace(location, "/visits/"+id+"/", "/visits/:id/", 1)
}

func TestAccess(t *testing.T) {
	named := map[string]bool{}
	for _, row := range accessTable {
		named[row.method+" "+row.path] = true
	}
	for _, r := range routes {
		if !named[r.method+" "+r.path] {
			t.Errorf("the table does not say who may enter %s %s", r.method, r.path)
		}
		delete(named, r.method+" "+r.path)
	}
	for gone := range named {
		t.Errorf("there is no route %s", gone)
	}
	if len(accessTable) != len(routes) {
		t.Errorf("%d rows for %d routes", len(accessTable), len(routes))
	}
	eachBackend(t, testAccess)
}

func testAccess(t *testing.T, env []string) {
	p := start(t, append(env, "CODE_TRIES_PER_DAY=1")...)
	db := openData(t, env)
	all := crowd(p, db)

	// A phone that has met its limit.
	guessed := all[anna].walk(p, customer{phone: "+7 916 700 00 09"}, domain.StepCode)
	all[anna].sendCode(guessed)
	all[anna].send(guessed+"/code", guessed+"/code/checks", "code", wrong(p.codes("+7 916 700 00 09")[0], 1))
	limit := db.one(`SELECT id FROM code_attempts WHERE limit_met = 'phone_day'`)

	// An anonymous visit that was left.
	ended := all[anna].walk(p, customer{anonymous: true}, domain.StepOutcome)
	all[anna].goesTo(all[anna].send(ended+"/outcome", ended+"/outcome", "outcome", "left"), ended+"/summary")
	bought := all[anna].walk(p, customer{phone: "+7 916 700 00 01"}, domain.StepOutcome)
	all[anna].goesTo(all[anna].purchase(bought), bought+"/summary")
	message := db.one(`SELECT id FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(bought))

	question := wrote(db, idOf(bought), "Больше не пишите мне")

	// A visit whose customer has a page of their own.
	shown := all[anna].walk(p, customer{phone: "+7 916 700 00 02"}, domain.StepCode)
	all[anna].sendCode(shown)
	token := db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(shown))

	// A customer who can open the link of their SMS.
	page := db.one(`SELECT page_token FROM contacts WHERE phone = '+79167000001'`)
	given := db.one(`SELECT p.id FROM promo_codes p JOIN contacts c ON c.id = p.owner_id WHERE c.phone = '+79167000001'`)

	for n, row := range accessTable {
		id, token := "", token
		switch {
		case strings.HasPrefix(row.path, "/m/"):
			id, token = given, page
		case row.path == "/visits/:id/code/qr":
			id = idOf(shown)
		case strings.HasPrefix(row.path, "/stores/"):
			id = "1"
		case strings.HasPrefix(row.path, "/visits/:id"):
			// A visit of its own for each row, so that what anna does in one
			// does not change the next.
			id = idOf(all[anna].walk(p, customer{phone: fmt.Sprintf("+7 916 800 00 %02d", n), unverified: true}, domain.StepOutcome))
		case strings.HasPrefix(row.path, "/promo-codes/:id"):
			id = db.one(`SELECT min(id) FROM promo_codes`)
		case strings.HasPrefix(row.path, "/handset/"), strings.HasPrefix(row.path, "/messages/"):
			id = message
		case strings.HasPrefix(row.path, "/incoming/"):
			id = question
		case strings.HasPrefix(row.path, "/limits/"):
			id = limit
		}
		for who := range people {
			before := visitRows(db, id)
			form := append([]string(nil), row.form...)
			for i, v := range form {
				if v == "unique" {
					form[i] = fmt.Sprintf("access-%d-%d", n, who)
				}
			}
			path := strings.NewReplacer(":id", id, ":token", token, ":programme", "1", ":kind", "trial", ":language", "ru").Replace(row.path)
			got := short(send(all[who], row.method, path, form), id)
			if strings.HasPrefix(row.path, "/m/") {
				got = strings.Replace(got, token, ":token", 1)
			}
			if got != row.want[who] {
				t.Errorf("%s %s by %d: %s, want %s", row.method, row.path, who, got, row.want[who])
			}
			if after := visitRows(db, id); strings.HasPrefix(row.path, "/visits/") && who != anna && after != before {
				t.Errorf("%s %s by %d changed the visit:\n%s\n%s", row.method, row.path, who, before, after)
			}
			if row.ended == "" {
				continue
			}
			want := row.ended
			if who != anna {
				want = row.want[who]
			}
			got = short(send(all[who], row.method, strings.Replace(row.path, ":id", idOf(ended), 1), form), idOf(ended))
			if got != want {
				t.Errorf("%s %s of an ended visit by %d: %s, want %s", row.method, row.path, who, got, want)
			}
		}
		if row.ended == "" {
			continue
		}
		asker := all[anna]
		if row.want[anna] == "403" { // the door is shut before the id is read
			asker = all[vera]
		}
		for _, made := range []string{"999999", "0", "-1", "1x", "99999999999999999999", "%2e%2e"} {
			if a := send(asker, row.method, strings.Replace(row.path, ":id", made, 1), row.form); a.Status != http.StatusNotFound {
				t.Errorf("%s %s with the id %q: %d", row.method, row.path, made, a.Status)
			}
		}
	}
	if now := visitRows(db, idOf(ended)); !strings.Contains(now, "| left |") {
		t.Errorf("the ended visit is now %s", now)
	}
}

func send(c *client, method, path string, form []string) answer {
	if method == http.MethodGet {
		return c.get(path)
	}
	return c.post(path, form...)
}

// visitRows is everything that hangs on one visit.
func visitRows(db data, id string) string {
	if id == "" {
		return ""
	}
	out := db.rows(`SELECT * FROM visits WHERE id = $1`, id)
	for _, table := range []string{"visit_events", "consents", "answers", "code_attempts", "verifications", "redemptions", "promo_refusals", "messages"} {
		out = append(out, table)
		out = append(out, db.rows(`SELECT * FROM `+table+` WHERE visit_id = $1`, id)...)
	}
	return strings.Join(out, "\n")
}

// A supervisor sees the visits of their stores and of no others.
func TestSupervisedStores(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		all := crowd(p, openData(t, env))
		inMoscow := idOf(all[anna].walk(p, customer{}, domain.StepAge))
		inUral := idOf(all[timur].walk(p, customer{}, domain.StepAge))
		for who, wants := range map[person][2]bool{vera: {true, true}, zoya: {false, true}, admin: {true, true}} {
			// The filter is no way round either.
			for _, query := range []string{"", "?store=1", "?store=1&advisor=1", "?outcome=open", "?before=999999"} {
				body := all[who].get("/visits" + query).Body
				for i, id := range []string{inMoscow, inUral} {
					seen := strings.Contains(body, `href="/visits/`+id+`"`) || strings.Contains(body, `href="/visits/`+id+`?`)
					if seen && !wants[i] || !seen && wants[i] && query == "" {
						t.Errorf("/visits%s by %d: visit %s seen: %t", query, who, id, seen)
					}
				}
				if body := all[zoya].get("/visits" + query).Body; strings.Contains(body, moscow) {
					t.Errorf("/visits%s tells a supervisor of another store's name", query)
				}
			}
		}
	})
}

// Somebody who is not signed in is led out by htmx as well, with a whole page.
func TestAccessByHTMX(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir())
	c := inspect(p.client())
	if a := c.part("/visits/1/age", "age", "no_doubt"); a.Status != http.StatusOK || a.Header.Get("HX-Redirect") != "/sign-in" || a.Body != "" {
		t.Errorf("nobody: %d, HX-Redirect %q\n%s", a.Status, a.Header.Get("HX-Redirect"), a.Body)
	}
	// A room that is not theirs takes the place of the whole page.
	a := inspect(p.as("vera")).part("/visits/1/age", "age", "no_doubt")
	if a.Status != http.StatusForbidden || a.Header.Get("HX-Retarget") != "body" || !strings.HasPrefix(a.Body, "<!doctype html>") {
		t.Errorf("vera: %d, HX-Retarget %q\n%s", a.Status, a.Header.Get("HX-Retarget"), a.Body)
	}
	// What does not exist is a page of ours, signed in or not.
	for _, c := range []*client{inspect(p.client()), inspect(p.as("anna"))} {
		for _, path := range []string{"/nothing", "/visits/1/nothing", "/static/css/app.css", "/static/"} {
			if a := c.get(path); a.Status != http.StatusNotFound {
				t.Errorf("GET %s: %d", path, a.Status)
			}
		}
		if a := c.do(http.MethodDelete, "/visits/1", nil, ""); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("DELETE: %d", a.Status)
		}
	}
}
