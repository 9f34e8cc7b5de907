package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

// wrote lets the customer of a visit write an SMS, past the gateways, and
// gives its id.
func wrote(d data, visitID, text string) string {
	d.t.Helper()
	word := map[string]string{"СТОП": "stop", "Старт": "start"}[text]
	return d.one(`INSERT INTO incoming_messages (gateway, gateway_id, phone, contact_id, store_id, body, word, at)
		SELECT 'test', $2, c.phone, c.id, v.store_id, $3, $4, $5 FROM visits v JOIN contacts c ON c.id = v.contact_id WHERE v.id = $1 RETURNING id`,
		visitID, domain.RandomToken(16), text, word, time.Now().UTC().Truncate(time.Microsecond))
}

const callbackSecret = "a secret for the addresses of gateways"

// kannelEnv switches a gateway on that calls, beside the handset that takes
// what is sent.
var kannelEnv = []string{
	"SMS_GATEWAYS=handset,kannel", "SECRET_KEY=" + callbackSecret,
	"KANNEL_URL=http://127.0.0.1:9/cgi-bin/sendsms", "KANNEL_USER=u", "KANNEL_PASSWORD=p", "KANNEL_FROM=f",
}

// incomingURL is where the gateway brings customers' SMS.
func incomingURL(name string) string {
	_, in := (&domain.Service{Secret: []byte(callbackSecret)}).GatewayURLs(domain.Gateway{Name: name, Callbacks: deaf{}})
	return in
}

// deaf stands for a gateway's reader where only an address is asked for.
type deaf struct{ domain.Callbacks }

// A gateway brings an SMS; STOP is heard by it, and seen by the supervisor.
func TestIncomingByGateway(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		env = append(env, kannelEnv...)
		p := start(t, env...)
		db := openData(t, env)
		anna, vera, gateway := p.as("anna"), inspect(p.as("vera")), p.client()
		visit := anna.walk(p, customer{phone: "+7 916 700 00 01"}, domain.StepOutcome)
		anna.goesTo(anna.purchase(visit), visit+"/summary")

		brings := func(method, path string, form url.Values, status int) {
			t.Helper()
			body := ""
			if method == http.MethodGet {
				path += "?" + form.Encode()
			} else {
				body = form.Encode()
			}
			a := gateway.do(method, path, nil, body)
			if a.Status != status || status != http.StatusNotFound && a.Body != "" {
				t.Errorf("%s %v: %d %q", method, form, a.Status, a.Body)
			}
		}
		in := incomingURL("kannel")
		sms := func(id, text string) url.Values {
			return url.Values{"id": {id}, "from": {"79167000001"}, "text": {text}}
		}
		brings(http.MethodGet, in, sms("1", "<b>Когда</b> подарок?"), http.StatusOK)
		brings(http.MethodGet, in, sms("2", "\x00\xff стоп"), http.StatusOK)
		brings(http.MethodGet, in, sms("2", "\x00\xff стоп"), http.StatusOK)
		brings(http.MethodGet, in, url.Values{"text": {"стоп"}}, http.StatusBadRequest)
		// Another gateway's name, a wrong key and the handset's are nobody's.
		for _, path := range []string{incomingURL("other"), incomingURL("handset"), "/g//incoming", "/g/x/incoming", strings.ToUpper(in)} {
			brings(http.MethodGet, path, sms("3", "стоп"), http.StatusNotFound)
		}
		if got := db.rows(`SELECT word, body FROM incoming_messages ORDER BY id`); fmt.Sprint(got) != "[ | <b>Когда</b> подарок? stop | \ufffd стоп]" {
			t.Errorf("on record: %q", got)
		}
		if got := db.one(`SELECT state || ' ' || reason FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(visit)); got != "cancelled stopped" {
			t.Errorf("the scheduled message is %s", got)
		}
		// The answer leaves at once, by the queue.
		p.sees("/handset", "больше не будем вам писать")

		// What the supervisor sees is escaped, and the phone masked.
		page := vera.get("/incoming").Body
		for _, want := range []string{"&lt;b&gt;Когда&lt;/b&gt; подарок?", "сообщения остановлены", "+7 916 •••-••-01", `href="` + visit + `"`} {
			if !strings.Contains(page, want) {
				t.Errorf("/incoming does not show %q", want)
			}
		}
		if strings.Contains(page, "7000001") || strings.Contains(p.out.String(), "7000001") || strings.Contains(p.out.String(), "подарок") || strings.Contains(p.out.String(), in) {
			t.Error("a phone, a text or a secret address is shown or logged")
		}
	})
}

// sees waits until a page holds a text; what the queue does has no other sign.
func (p *program) sees(path, text string) {
	p.t.Helper()
	c := p.client()
	deadline := time.Now().Add(patience)
	for !strings.Contains(c.get(path).Body, text) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s never shows %q", path, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A message and an SMS are seen by those who supervise their store; an SMS of
// nobody by every supervisor, an answer to nobody's store by administrators.
func TestSupervisedMessages(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		all := crowd(p, db)
		ids := map[string]string{}
		for store, who := range map[string]person{"moscow": anna, "ural": timur} {
			visit := all[who].walk(p, customer{phone: map[string]string{"moscow": "+7 916 700 00 01", "ural": "+7 916 700 00 02"}[store]}, domain.StepOutcome)
			all[who].purchase(visit)
			ids[store] = db.one(`SELECT id FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(visit))
			ids[store+" code"] = db.one(`SELECT id FROM messages WHERE channel = 'code' AND visit_id = $1`, idOf(visit))
			ids[store+" sms"] = wrote(db, idOf(visit), "Вопрос из "+store)
		}
		ids["nobody"] = db.one(`INSERT INTO messages (channel, kind, programme_id, language, body, state, reason, gateway, due_at, created_at)
			SELECT 'service', 'referral', programme_id, 'ru', '', 'scheduled', '', '', due_at, created_at FROM messages WHERE id = $1 RETURNING id`, ids["moscow"])
		db.exec(`INSERT INTO incoming_messages (gateway, gateway_id, phone, body, word, at) SELECT 'test', 'x', 'MTS', 'Вопрос от nobody', '', at FROM incoming_messages WHERE id = $1`, ids["moscow sms"])
		for who, sees := range map[person]map[string]bool{
			vera: {"moscow": true, "ural": true}, zoya: {"ural": true}, admin: {"moscow": true, "ural": true, "nobody": true},
		} {
			for _, query := range []string{"", "?store=1", "?channel=programme", "?before=999999", "?day=2999-01-01"} {
				body := all[who].get("/messages" + query).Body
				for store, id := range ids {
					shown := strings.Contains(body, `"/messages/`+id+`"`) || strings.Contains(body, `"/messages/`+id+`?`)
					if strings.HasSuffix(store, "sms") {
						continue
					}
					if may := sees[strings.TrimSuffix(store, " code")]; shown && !may || !shown && may && query == "" {
						t.Errorf("/messages%s by %d: %s shown: %t", query, who, store, shown)
					}
				}
			}
			for _, query := range []string{"", "?unseen=yes"} {
				body := all[who].get("/incoming" + query).Body
				for _, store := range []string{"moscow", "ural", "nobody"} {
					if shown := strings.Contains(body, "Вопрос "+map[bool]string{true: "от ", false: "из "}[store == "nobody"]+store); shown != (sees[store] || store == "nobody") {
						t.Errorf("/incoming%s by %d: %s shown: %t", query, who, store, shown)
					}
				}
			}
			for store, id := range ids {
				want := http.StatusNotFound
				if sees[strings.TrimSuffix(store, " code")] {
					want = http.StatusOK
				}
				if strings.HasSuffix(store, "sms") {
					continue
				}
				if a := all[who].get("/messages/" + id); a.Status != want {
					t.Errorf("/messages/%s (%s) by %d: %d, want %d", id, store, who, a.Status, want)
				}
			}
		}
		// Who has read it first stays on record, and once is enough.
		all[vera].goesTo(all[vera].send("/incoming?unseen=yes", "/incoming/"+ids["ural sms"]+"/seen"), "/incoming?unseen=yes")
		all[admin].goesTo(all[admin].post("/incoming/"+ids["ural sms"]+"/seen", "back", "https://evil.example/"), "/incoming")
		if got := db.one(`SELECT s.login FROM incoming_messages i JOIN staff s ON s.id = i.seen_by WHERE i.id = $1`, ids["ural sms"]); got != "vera" {
			t.Errorf("read by %s", got)
		}
	})
}

// The text of a message shows a supervisor neither a code nor the way to the
// customer's page.
func TestMessageText(t *testing.T) {
	t.Parallel()
	env := []string{"DATA_DIR=" + t.TempDir()}
	p := start(t, env...)
	db := openData(t, env)
	anna, vera, guest := p.as("anna"), inspect(p.as("vera")), p.client()
	visit := anna.walk(p, customer{phone: "+7 916 700 00 01"}, domain.StepOutcome)
	anna.purchase(visit)
	id := db.one(`SELECT id FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(visit))
	guest.post("/handset/messages/"+id+"/sendings", "x", "y")
	p.sees("/handset", "спасибо за покупку")
	token := db.one(`SELECT c.page_token FROM contacts c JOIN visits v ON v.contact_id = c.id WHERE v.id = $1`, idOf(visit))
	// Some gateways make their name for a message of the phone, or repeat the text.
	db.exec(`UPDATE messages SET gateway_id = 'GW01-79167000001-5f3b' WHERE id = $1`, id)
	db.exec(`INSERT INTO delivery_reports (message_id, gateway, report_key, state, status, detail, at)
		SELECT id, 'kannel', 'k', '', '64', $2, created_at FROM messages WHERE id = $1`, id, "<i>x</i> 8 916 700-00-01 http://127.0.0.1/m/"+token)
	page := vera.get("/messages/" + id).Body
	if token == "" || strings.Contains(page, token) || strings.Count(page, "/m/•••") != 2 {
		t.Errorf("the way to the customer's page is shown (%q):\n%s", token, page)
	}
	for _, number := range []string{"9167000001", "700-00-01"} {
		if strings.Contains(page, number) {
			t.Errorf("the phone is shown as %s", number)
		}
	}
	for _, want := range []string{"спасибо за покупку", "&lt;i&gt;x&lt;/i&gt;", "GW01-7916…-5f3b", "Неизвестный статус", "Доставлено", "+7 916 •••-••-01"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	// Gateways are called as people call them, and not by their setting.
	for _, path := range []string{"/messages", "/messages/" + id} {
		text := vera.screen(vera.get(path)).text()
		if strings.Contains(text, "handset") || strings.Contains(text, "kannel") || strings.Contains(path, id) && !strings.Contains(text, "Kannel") {
			t.Errorf("%s shows a gateway by its setting:\n%s", path, text)
		}
	}
	code := db.one(`SELECT id FROM messages WHERE channel = 'code' AND visit_id = $1`, idOf(visit))
	page = vera.get("/messages/" + code).Body
	if !strings.Contains(page, "Текст с кодом нигде не хранится") || strings.Contains(page, p.codes("+7 916 700 00 01")[0]) {
		t.Errorf("the page of a code:\n%s", page)
	}
}

// One SMS that names nobody loses none of those behind it; where there is none
// but such, the gateway hears that nothing was saved.
func TestIncomingBatch(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		env = append(env, "SMS_GATEWAYS=handset,devino", "SECRET_KEY="+callbackSecret, "DEVINO_URL=http://127.0.0.1:9", "DEVINO_KEY=k", "DEVINO_FROM=f")
		p := start(t, env...)
		db := openData(t, env)
		anna, gateway := p.as("anna"), p.client()
		visit := anna.walk(p, customer{phone: "+7 916 700 00 01"}, domain.StepOutcome)
		anna.goesTo(anna.purchase(visit), visit+"/summary")
		brings := func(body string, status int) {
			t.Helper()
			if a := gateway.do(http.MethodPost, incomingURL("devino"), http.Header{"Content-Type": {"application/json"}}, body); a.Status != status || a.Body != "" {
				t.Errorf("%s: %d %q", body, a.Status, a.Body)
			}
		}
		const nobody, other, stop = `{"sourcePhone":"\u0000","text":"x","messageId":1}`, `{"sourcePhone":"79167000002","text":"Ау","messageId":2}`,
			`{"sourcePhone":"79167000001","text":"СТОП","messageId":3}`
		brings("["+nobody+","+nobody+"]", http.StatusBadRequest)
		brings("["+other+","+nobody+","+stop+"]", http.StatusOK)
		brings("["+other+","+nobody+","+stop+"]", http.StatusOK)
		if got := db.rows(`SELECT phone, word FROM incoming_messages ORDER BY id`); fmt.Sprint(got) != "[+79167000002 |  +79167000001 | stop]" {
			t.Errorf("on record: %q", got)
		}
		if got := db.one(`SELECT state || ' ' || reason FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(visit)); got != "cancelled stopped" {
			t.Errorf("the scheduled message is %s", got)
		}
	})
}

// Gateways put in what a customer wrote, and their own words, without escaping
// them. At both addresses and by both methods nothing of it is lost.
func TestCallbacksUnescaped(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		env = append(env, kannelEnv...)
		env = append(env, "SMS_GATEWAYS=handset,kannel,devino", "DEVINO_URL=http://127.0.0.1:9", "DEVINO_KEY=k", "DEVINO_FROM=f")
		p := start(t, env...)
		db := openData(t, env)
		anna, vera, gateway := p.as("anna"), inspect(p.as("vera")), p.client()
		visit := anna.walk(p, customer{phone: "+7 916 700 00 01"}, domain.StepOutcome)
		anna.goesTo(anna.purchase(visit), visit+"/summary")
		message := db.one(`SELECT id FROM messages WHERE channel = 'programme' AND visit_id = $1`, idOf(visit))

		calls := func(method, path, pairs string) {
			t.Helper()
			body := pairs
			if method == http.MethodGet {
				path, body = path+"?"+pairs, ""
			}
			if a := gateway.do(method, path, nil, body); a.Status != http.StatusOK || a.Body != "" {
				t.Errorf("%s %s: %d %q", method, pairs, a.Status, a.Body)
			}
		}
		for _, c := range []struct{ gateway, method, pairs, word, body string }{
			{"devino", http.MethodPost, "sourcePhone=79167000001&messageId=1&text=Скидка+100%;+да?", "", "Скидка 100%; да?"},
			{"devino", http.MethodGet, "sourcePhone=79167000001&messageId=2&text=50%+или+%35%;=?", "", "50% или 5%;=?"},
			{"devino", http.MethodPost, "=&&odd;=%&sourcePhone=79167000001&messageId=3&text=%zz%ffда", "", "%zz\ufffdда"},
			{"devino", http.MethodPost, "sourcePhone=79167000001&messageId=4&text=%d1%f2%ee%ef;", "stop", "Стоп;"}, // Windows-1251
			{"devino", http.MethodPost, "sourcePhone=79167000001&messageId=5&text=Ау&text=стоп;", "", "Ау,стоп;"},
			{"kannel", http.MethodGet, "from=79167000001&id=6&text=Please+opt+me+out;+100%", "", "Please opt me out; 100%"},
			{"kannel", http.MethodGet, "from=79167000001&id=7&charset=WINDOWS-1251&text=%d1%f2%ee%ef%", "stop", "Стоп%"},
			{"kannel", http.MethodGet, "from=79167000001&id=8&charset=UTF-8&text=%&text=Opt-Out;", "stop", "%,Opt-Out;"},
			{"kannel", http.MethodPost, "", "stop", "OPT – OUT;"}, // the pairs in its address; see below
		} {
			path, pairs := incomingURL(c.gateway), c.pairs
			if pairs == "" {
				path += "?from=79167000001&id=9&text=OPT+–+OUT;"
				pairs = "x=%;"
			}
			calls(c.method, path, pairs)
			if got := db.one(`SELECT word || '|' || body FROM incoming_messages ORDER BY id DESC LIMIT 1`); got != c.word+"|"+c.body {
				t.Errorf("%s %s %s: on record as %q, want %q", c.gateway, c.method, c.pairs, got, c.word+"|"+c.body)
			}
		}
		if got := db.one(`SELECT state || ' ' || reason FROM messages WHERE id = $1`, message); got != "cancelled stopped" {
			t.Errorf("the scheduled message is %s", got)
		}
		// What is only flagged stands before a supervisor's eyes.
		text := vera.screen(vera.get("/incoming?unseen=yes")).text()
		if n := strings.Count(text, "Возможно, просят не писать"); n != 2 || !strings.Contains(text, "Please opt me out; 100%") || !strings.Contains(text, "Ау,стоп;") {
			t.Errorf("%d are flagged in %s", n, text)
		}

		for i, c := range []struct{ gateway, method, pairs, state, detail string }{
			{"devino", http.MethodPost, "messageId=77&status=sent&note=50%;+ok", "accepted", `{"note":"50%; ok"}`},
			{"devino", http.MethodGet, "messageId=77&status=delivered&note=%;%41%", "delivered", `{"note":"%;A%"}`},
			{"kannel", http.MethodGet, "m=MESSAGE&status=8&smsc=a;b%", "accepted", `{"smsc":"a;b%"}`},
			{"kannel", http.MethodPost, "m=MESSAGE&status=1&smsc=%2;", "delivered", `{"smsc":"%2;"}`},
		} {
			db.exec(`UPDATE messages SET gateway = $2, gateway_id = '77', state = 'sending', reason = '', attempts = 1, settled_at = NULL WHERE id = $1`, message, c.gateway)
			path, _ := (&domain.Service{Secret: []byte(callbackSecret)}).GatewayURLs(domain.Gateway{Name: c.gateway, Callbacks: deaf{}})
			pairs := strings.Replace(c.pairs, "MESSAGE", message, 1)
			if c.gateway == "kannel" && c.method == http.MethodPost {
				path, pairs = path+"?"+pairs, "x=%;"
			}
			calls(c.method, path, pairs)
			if got := db.one(`SELECT state FROM messages WHERE id = $1`, message); got != c.state {
				t.Errorf("%s: the message is %s, want %s", c.pairs, got, c.state)
			}
			if got := db.rows(`SELECT detail FROM delivery_reports ORDER BY id`); len(got) != i+1 || got[i] != c.detail {
				t.Errorf("%s: on record %q, want %q", c.pairs, got, c.detail)
			}
		}
	})
}
