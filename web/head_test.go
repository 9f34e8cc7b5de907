package main

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"prilavok/domain"
	"prilavok/static"
)

// headCase is one address of the program and who may open it.
type headCase struct {
	who  *client
	path string
}

// headCases are every route that answers a GET, each as a page that is there,
// and some that are not.
func headCases(t *testing.T, p *program, db data) []headCase {
	t.Helper()
	guest, anna, vera, admin := p.client(), p.as("anna"), p.as("vera"), p.as("admin")
	const phone = "+79167000001"
	open := anna.walk(p, customer{phone: "+7 916 700 00 02", unverified: true}, domain.StepOutcome)
	waiting := anna.walk(p, customer{phone: "+7 916 700 00 03"}, domain.StepCode)
	anna.sendCode(waiting)
	bought := anna.walk(p, customer{phone: phone}, domain.StepOutcome)
	anna.goesTo(anna.purchase(bought), bought+"/summary")
	guessed := anna.walk(p, customer{phone: "+7 916 700 00 04"}, domain.StepCode)
	anna.sendCode(guessed)
	anna.send(guessed+"/code", guessed+"/code/checks", "code", wrong(p.codes("+7 916 700 00 04")[0], 1))
	of := strings.NewReplacer(
		"/c/:token", "/c/"+db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(waiting)),
		"/m/:token", "/m/"+db.one(`SELECT page_token FROM contacts WHERE phone = $1`, phone),
		"/codes/:id", "/codes/"+db.one(`SELECT p.id FROM promo_codes p JOIN contacts c ON c.id = p.owner_id WHERE c.phone = $1`, phone),
		"/limits/:id", "/limits/"+db.one(`SELECT id FROM code_attempts WHERE limit_met = 'phone_day'`),
		"/visits/:id/void", bought+"/void", "/visits/:id/code", waiting+"/code", "/visits/:id/summary", bought+"/summary", "/visits/:id", open,
		"/messages/:id", "/messages/"+db.one(`SELECT id FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(bought)),
		"/incoming/:id", "/incoming/"+wrote(db, idOf(bought), "Не пишите мне"),
		"/promo-codes/:id", "/promo-codes/"+db.one(`SELECT min(id) FROM promo_codes`),
		":programme", "1", ":kind", "trial", ":language", "ru",
		"/g/:key", "/g/"+strings.Split(incomingURL("kannel"), "/")[2],
	)
	cases := []headCase{
		{guest, static.URL("css/app.css")}, {guest, "/static/css/app.css"}, {guest, "/nothing"}, {guest, "/g/nobody/reports"}, {anna, "/visits/999999/age"},
	}
	for _, r := range routes {
		if r.method != http.MethodGet {
			continue
		}
		who := map[access]*client{everybody: guest, shown: anna, staff: anna, advisors: anna, supervisors: vera, counter: vera, administrators: admin}[r.access]
		path := of.Replace(r.path)
		switch r.path {
		case "/g/:key/incoming":
			path += "?" + url.Values{"id": {"1"}, "from": {phone[1:]}, "text": {"стоп"}}.Encode()
		case "/g/:key/reports":
			path += "?m=999999&status=1"
		}
		cases = append(cases, headCase{who, path})
	}
	return cases
}

// A HEAD is answered as the GET would be, without its body, and does nothing.
func TestHead(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		env = append(env, kannelEnv...)
		p := start(t, append(env, "CODE_TRIES_PER_DAY=1")...)
		db := openData(t, env)
		plain := http.Header{"Accept-Encoding": {"identity"}}
		deeds := 0
		for _, c := range headCases(t, p, db) {
			before := db.dump(false)
			head := c.who.do(http.MethodHead, c.path, plain, "")
			if after := db.dump(false); after != before {
				t.Errorf("HEAD %s did something:\n%s", c.path, difference(before, after))
			}
			get := c.who.do(http.MethodGet, c.path, plain, "")
			if strings.HasPrefix(c.path, "/g/") && db.dump(false) != before {
				deeds++
			}
			if head.Status != get.Status || head.Location != get.Location || head.Body != "" {
				t.Errorf("HEAD %s: %d → %q with %d bytes, GET: %d → %q", c.path, head.Status, head.Location, len(head.Body), get.Status, get.Location)
			}
			if strings.Contains(c.path, ":") {
				t.Errorf("%s is no address", c.path)
			}
			for name := range get.Header {
				if head.Header.Get(name) != get.Header.Get(name) && name != "Date" && name != "X-Request-Id" && name != "Content-Length" {
					t.Errorf("HEAD %s: %s is %q, of a GET %q", c.path, name, head.Header.Get(name), get.Header.Get(name))
				}
			}
			length := head.Header.Get("Content-Length")
			page := strings.HasPrefix(get.Header.Get("Content-Type"), "text/html")
			if length != strconv.Itoa(len(get.Body)) && (length != "" || page) {
				t.Errorf("HEAD %s: Content-Length %q, the GET has %d bytes", c.path, length, len(get.Body))
			}
		}
		if deeds == 0 {
			t.Error("no GET of a gateway did anything, so its HEAD proves nothing")
		}
		if log := p.out.String(); !strings.Contains(log, "method=HEAD route=/visits/:id/age") {
			t.Error("the log does not tell a HEAD from a GET")
		}
		// What only a form sends is no more there for a HEAD than for a GET.
		anna := p.as("anna")
		if h, g := anna.do(http.MethodHead, "/sign-out", plain, ""), anna.get("/sign-out"); h.Status != g.Status || h.Status != http.StatusMethodNotAllowed {
			t.Errorf("HEAD /sign-out: %d, GET: %d", h.Status, g.Status)
		}
	})
}
