package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"prilavok/domain"
)

// fakeKannel is a gateway on this machine that takes every text and keeps the
// calls that it was told to make.
type fakeKannel struct {
	*httptest.Server
	mu    sync.Mutex
	calls []url.Values
}

func newKannel(t *testing.T) *fakeKannel {
	t.Helper()
	k := &fakeKannel{}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		// The demo's own customer has a message due, which may leave meanwhile.
		if r.Form.Get("to") != "79000000001" {
			k.mu.Lock()
			k.calls = append(k.calls, r.Form)
			k.mu.Unlock()
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("0: Accepted for delivery"))
	}))
	t.Cleanup(k.Close)
	return k
}

// env are the settings that lead the program to this gateway alone.
func (k *fakeKannel) env() []string {
	return []string{
		"SMS_GATEWAYS=kannel", "KANNEL_URL=" + k.URL, "KANNEL_USER=prilavok", "KANNEL_PASSWORD=a kannel password", "KANNEL_FROM=Prilavok",
	}
}

// taken are the texts so far.
func (k *fakeKannel) taken() []url.Values {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]url.Values(nil), k.calls...)
}

// report makes the call of a dlr-url, path and query, as Kannel would fill it in.
func report(dlrURL, status string) string {
	u, err := url.Parse(strings.NewReplacer("%d", status, "%i", "smsc").Replace(dlrURL))
	if err != nil {
		panic(err)
	}
	return u.RequestURI()
}

func TestDeliveryReports(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		kannel := newKannel(t)
		p := start(t, append(append(env, "DEMO=true", "LOG_LEVEL=debug"), kannel.env()...)...)
		db := openData(t, env)
		anna := inspect(p.as("anna"))
		visit := anna.walk(p, customer{phone: "+7 916 700 00 21"}, domain.StepCode)
		anna.sendCode(visit)
		sent := kannel.taken()
		if len(sent) != 1 {
			t.Fatalf("%d texts", len(sent))
		}
		id := db.one(`SELECT id FROM messages WHERE visit_id = $1`, idOf(visit))
		state := func(want string) {
			t.Helper()
			if got := db.one(`SELECT state FROM messages WHERE id = $1`, id); got != want {
				t.Errorf("the message is %s, want %s", got, want)
			}
		}
		state("accepted")
		gateway := inspect(p.client())
		address := sent[0].Get("dlr-url")
		answered := func(what string, a answer, want int) {
			t.Helper()
			if a.Status != want || want == http.StatusOK && (a.Body != "" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain")) {
				t.Errorf("%s: %d %q %q, want %d", what, a.Status, a.Header.Get("Content-Type"), a.Body, want)
			}
		}
		bare, _, _ := strings.Cut(report(address, ""), "?")
		answered("no message named", gateway.get(bare+"?status=1"), http.StatusBadRequest)
		answered("a word that nobody knows", gateway.get(report(address, "77")), http.StatusOK)
		state("accepted")
		// A byte that is no UTF-8 and a NUL stand in no way of a report.
		answered("delivered", gateway.get(report(address, "1")+"&odd=%ff%00"), http.StatusOK)
		state("delivered")
		answered("the same again", gateway.get(report(address, "1")+"&odd=%ff%00"), http.StatusOK)
		answered("late", gateway.post(report(address, "8"), "a", "b"), http.StatusOK)
		answered("a message that is not there", gateway.get(bare+"?m=999999&status=1"), http.StatusOK)
		state("delivered")
		if n := db.one(`SELECT count(*) FROM delivery_reports WHERE message_id = $1`, id); n != "3" {
			t.Errorf("%s reports on record, want 3", n)
		}
		answered("too long", gateway.post(bare, "a", strings.Repeat("b", 100<<10)), http.StatusRequestEntityTooLarge)

		// Somebody else's address is a page that does not exist.
		stranger, unknown := gateway.get("/g/"+strings.Repeat("a", 43)+"/reports?m="+id+"&status=2"), gateway.get("/nothing")
		if stranger.Status != http.StatusNotFound || unknown.Status != http.StatusNotFound || gateway.screen(stranger).text() != gateway.screen(unknown).text() {
			t.Errorf("a made-up address: %d\n%s\nan unknown page: %d\n%s", stranger.Status, stranger.Body, unknown.Status, unknown.Body)
		}
		state("delivered")

		key := strings.Split(bare, "/")[2]
		log := p.out.String()
		if !strings.Contains(log, "a delivery report of an unknown message") {
			t.Error("the unknown message is not in the log")
		}
		for what, secret := range map[string]string{"key": key, "password": "a kannel password", "phone": "79167000021", "text": sent[0].Get("text")} {
			if strings.Contains(log, secret) {
				t.Errorf("the %s of the gateway stands in the log:\n%s", what, log)
			}
		}
	})
}

// While the database is away a report is not lost: the gateway hears that it
// shall call again.
func TestDeliveryReportWithoutDatabase(t *testing.T) {
	t.Parallel()
	env := []string{"DATA_DIR=" + t.TempDir()}
	kannel := newKannel(t)
	p := start(t, append(append(env, "DEMO=true"), kannel.env()...)...)
	db := openData(t, env)
	anna := inspect(p.as("anna"))
	visit := anna.walk(p, customer{phone: "+7 916 700 00 21"}, domain.StepCode)
	anna.sendCode(visit)
	address := report(kannel.taken()[0].Get("dlr-url"), "1")

	conn, err := db.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	do := func(statement string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do("BEGIN IMMEDIATE") // nobody else can write
	if a := inspect(p.client()).get(address); a.Status != http.StatusServiceUnavailable {
		t.Errorf("without a database: %d", a.Status)
	}
	do("ROLLBACK")
	if a := inspect(p.client()).get(address); a.Status != http.StatusOK {
		t.Errorf("with the database back: %d", a.Status)
	}
	if got := db.one(`SELECT state FROM messages WHERE visit_id = $1`, idOf(visit)); got != "delivered" {
		t.Errorf("the message is %s", got)
	}
}

// The administrator sees each gateway with its channels, what it costs, where
// it calls, and what became of the day's messages; no password anywhere.
func TestGatewaysPage(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		kannel := newKannel(t)
		down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
		t.Cleanup(down.Close)
		p := start(t, append(append(append(env, "DEMO=true", "CODE_SENDS_PER_PHONE=50"), kannel.env()...),
			"SMS_GATEWAYS=devino,kannel,handset", "DEVINO_URL="+down.URL, "DEVINO_KEY=a devino key", "DEVINO_FROM=Prilavok", "DEVINO_PART_PRICE=310",
			"KANNEL_PART_PRICE=250", "KANNEL_RATE=21", "SMS_CALLBACK_URL=http://10.0.0.7:8080")...)
		db := openData(t, env)
		anna, admin := p.as("anna"), inspect(p.as("admin"))
		var dlr string
		for n, phone := range []string{"+7 916 700 00 31", "+7 916 700 00 32", "+7 916 700 00 33", "+7 916 700 00 34", "+7 916 700 00 35", "+7 916 700 00 36"} {
			anna.sendCode(anna.walk(p, customer{phone: phone}, domain.StepCode))
			if taken := kannel.taken(); len(taken) > 0 && n == 0 {
				dlr = taken[len(taken)-1].Get("dlr-url")
			}
		}
		if a := p.client().get(report(dlr, "1")); a.Status != http.StatusOK {
			t.Fatalf("report: %d", a.Status)
		}
		a := admin.get("/gateways")
		text := admin.screen(a).text()
		for _, want := range []string{
			"1. Devino.Online", "2. Kannel", "3. Демо-телефон", "Отложен до", "5 сбоев подряд", "ответил кодом HTTP 503", "Работает",
			"3,10 ₽", "2,50 ₽", "До 21 сообщения в секунду", "http://10.0.0.7:8080/g/",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		for _, secret := range []string{"a devino key", "a kannel password", down.URL, kannel.URL} {
			if strings.Contains(a.Body, secret) {
				t.Errorf("the page tells %q", secret)
			}
		}
		bare, _, _ := strings.Cut(dlr, "?")
		if !strings.Contains(a.Body, bare) || !strings.Contains(a.Body, strings.TrimSuffix(bare, "reports")+"incoming") {
			t.Errorf("the addresses of Kannel (%s) are missing", bare)
		}
		// Five codes and what the demo had due were sent within the day: the page counts as the rows do.
		for state, want := range map[string]string{
			"delivered": db.one(`SELECT count(*) FROM messages WHERE gateway = 'kannel' AND state = 'delivered'`),
			"accepted":  db.one(`SELECT count(*) FROM messages WHERE gateway = 'kannel' AND state = 'accepted'`),
		} {
			if want == "0" || !strings.Contains(row(text, "Kannel"), want) {
				t.Errorf("%s: %s in %q", state, want, row(text, "Kannel"))
			}
		}
	})
}

// row is what stands in the table's row of a gateway.
func row(text, gateway string) string {
	_, table, _ := strings.Cut(text, "Стоимость")
	_, line, _ := strings.Cut(table, gateway)
	line, _, _ = strings.Cut(line, "₽")
	return line
}
