package sms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/sms"
)

// sent is what a gateway got.
type sent struct {
	Method, Path, Query, Key, Type, Body string
}

// far is a gateway on this machine. It says what it is told to, and keeps what
// it got.
type far struct {
	*httptest.Server
	mu   sync.Mutex
	got  []sent
	says func(w http.ResponseWriter, s sent)
}

func newFar(t *testing.T) *far {
	t.Helper()
	f := &far{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s := sent{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
		f.mu.Lock()
		f.got = append(f.got, s)
		says := f.says
		f.mu.Unlock()
		says(w, s)
	}))
	t.Cleanup(f.Close)
	return f
}

// answers makes it say one thing to everybody.
func (f *far) answers(status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = func(w http.ResponseWriter, _ sent) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
}

// only gives the one request so far and forgets it.
func (f *far) only(t *testing.T) sent {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) != 1 {
		t.Fatalf("%d requests, want one: %+v", len(f.got), f.got)
	}
	s := f.got[0]
	f.got = nil
	return s
}

const (
	reports  = "https://shop.example/g/KEY/reports"
	password = "sesame"
)

// made gives each kind of gateway on a far one.
func made(f *far) map[string]domain.Gateway {
	return map[string]domain.Gateway{
		"devino":    sms.NewDevino(sms.DevinoOptions{URL: f.URL, Key: password, From: "Prilavok", Rate: 7, PartPrice: 310, Now: time.Now}),
		"devino_v2": sms.NewDevinoV2(sms.DevinoV2Options{URL: f.URL + "/rest/v2/", Login: "me", Password: password, From: "Prilavok", Rate: 7, PartPrice: 310, Now: time.Now}),
		"kannel": sms.NewKannel(sms.KannelOptions{
			URL: f.URL + "/cgi-bin/sendsms", User: "me", Password: password, From: "Prilavok", Rate: 7, PartPrice: 310, Now: time.Now,
		}),
	}
}

var (
	aCode    = domain.SMSText{MessageID: 12, To: "+" + aPhone, Text: "0042 — код", Code: true, Validity: 5 * time.Minute, ReportURL: reports}
	aMessage = domain.SMSText{MessageID: 13, To: "+" + aPhone, Text: "Save 15% & more <now>", Validity: 24 * time.Hour, ReportURL: reports}
	// Nobody waits for reports of this one, and the gateway decides how long.
	aBare = domain.SMSText{To: "+" + aPhone, Text: "Привет"}
)

// What is sent, field by field.
func TestWhatIsSent(t *testing.T) {
	f := newFar(t)
	for name, accepts := range map[string]string{
		"devino":    `{"result":[{"code":"OK","messageId":"7411","description":"","reasons":[]}]}`,
		"devino_v2": `["SAR-1","SAR-2"]`,
		"kannel":    "0: Accepted for delivery: 8f1c",
	} {
		g := made(f)[name]
		if g.Name != name || g.Rate != 7 || g.PartPrice != 310 || g.Instant || g.Callbacks == nil || (g.Statuses != nil) != (name == "devino_v2") {
			t.Errorf("%s: %+v", name, g)
		}
		f.answers(http.StatusOK, accepts)
		send := func(s domain.Sender, m domain.SMSText) sent {
			t.Helper()
			id, err := s.Send(t.Context(), m)
			if want := map[string]string{"devino": "7411", "devino_v2": "SAR-1", "kannel": "8f1c"}[name]; err != nil || id != want {
				t.Errorf("%s: id %q, %v", name, id, err)
			}
			return f.only(t)
		}
		for _, c := range []struct {
			what   string
			sender domain.Sender
			text   domain.SMSText
		}{{"code", g.Codes, aCode}, {"message", g.Messages, aMessage}, {"bare", g.Messages, aBare}} {
			got := send(c.sender, c.text)
			if name == "devino" {
				devinoSent(t, c.what, got)
				continue
			}
			method, text, rest, kind := http.MethodPost, got.Body, got.Query, "application/x-www-form-urlencoded"
			if name == "kannel" {
				// Kannel refuses a form in a POST.
				method, text, rest, kind = http.MethodGet, got.Query, got.Body, ""
			}
			form, err := url.ParseQuery(text)
			want := map[string]map[string]url.Values{
				"devino_v2": {
					"code": {
						"Login": {"me"}, "Password": {password}, "SourceAddress": {"Prilavok"}, "DestinationAddress": {aPhone}, "Data": {aCode.Text}, "Validity": {"5"},
					},
					"message": {
						"Login": {"me"}, "Password": {password}, "SourceAddress": {"Prilavok"}, "DestinationAddress": {aPhone}, "Data": {aMessage.Text}, "Validity": {"1440"},
					},
					"bare": {"Login": {"me"}, "Password": {password}, "SourceAddress": {"Prilavok"}, "DestinationAddress": {aPhone}, "Data": {aBare.Text}},
				},
				"kannel": {
					"code": {
						"username": {"me"}, "password": {password}, "from": {"Prilavok"}, "to": {aPhone}, "text": {aCode.Text}, "charset": {"UTF-8"}, "coding": {"2"},
						"validity": {"5"}, "priority": {"3"}, "dlr-mask": {"31"}, "dlr-url": {reports + "?m=12&status=%d&smsc=%i"},
					},
					"message": {
						"username": {"me"}, "password": {password}, "from": {"Prilavok"}, "to": {aPhone}, "text": {aMessage.Text}, "charset": {"UTF-8"}, "coding": {"0"},
						"validity": {"1440"}, "dlr-mask": {"31"}, "dlr-url": {reports + "?m=13&status=%d&smsc=%i"},
					},
					"bare": {
						"username": {"me"}, "password": {password}, "from": {"Prilavok"}, "to": {aPhone}, "text": {aBare.Text}, "charset": {"UTF-8"}, "coding": {"2"},
					},
				},
			}[name][c.what]
			path := map[string]string{"devino_v2": "/rest/v2/Sms/Send", "kannel": "/cgi-bin/sendsms"}[name]
			if err != nil || !reflect.DeepEqual(form, want) {
				t.Errorf("%s, %s: the form is\n%v, want\n%v", name, c.what, form, want)
			}
			if got.Method != method || got.Path != path || rest != "" || got.Key != "" || got.Type != kind {
				t.Errorf("%s, %s: %+v", name, c.what, got)
			}
		}
	}
}

func devinoSent(t *testing.T, what string, got sent) {
	t.Helper()
	var body any
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]any{
		"code": {
			"from": "Prilavok", "to": aPhone, "text": aCode.Text, "validity": 300.0, "priority": "REALTIME", "callbackUrl": reports, "options": map[string]any{"m": "12"},
		},
		"message": {
			"from": "Prilavok", "to": aPhone, "text": aMessage.Text, "validity": 86400.0, "priority": "LOW", "callbackUrl": reports, "options": map[string]any{"m": "13"},
		},
		"bare": {"from": "Prilavok", "to": aPhone, "text": aBare.Text, "priority": "LOW"},
	}[what]
	if !reflect.DeepEqual(body, map[string]any{"messages": []any{want}}) {
		t.Errorf("devino, %s: the document is\n%v, want\n%v", what, body, want)
	}
	if got.Method != http.MethodPost || got.Path != "/sms/messages" || got.Query != "" || got.Key != "Key "+password || got.Type != "application/json" {
		t.Errorf("devino, %s: %+v", what, got)
	}
}

// What an answer means. All of them quote the phone and the text, as gateways
// do in their explanations.
func TestWhatAnswersMean(t *testing.T) {
	f := newFar(t)
	quote := aPhone + " " + aText + " " + password
	const refused, down, unclear = domain.SMSRefused, domain.SMSDown, domain.SMSAmbiguous
	for _, c := range []struct {
		gateway string
		status  int
		body    string
		fault   domain.SMSFault
		trouble domain.SMSTrouble
		detail  string
	}{
		{"devino", 200, `{"result":[{"code":"REJECTED","description":"` + quote + `","reasons":[{"key":"BLOCKED_NUMBER","ref":"to"},{"key":"` + quote + `"}]}]}`, refused, domain.TroubleRefused, "BLOCKED_NUMBER"},
		{"devino", 200, `{"result":[{"code":"REJECTED"}]}`, refused, domain.TroubleRefused, ""},
		// A sender that is not approved, or not any more, is no fault of the text:
		// it would use up every message of a programme.
		{"devino", 200, `{"result":[{"code":"REJECTED","reasons":[{"key":"INVALID_SENDER","ref":"from"}]}]}`, down, domain.TroubleRefused, "INVALID_SENDER"},
		{"devino", 200, `{"result":[{"code":"MAYBE"}]}`, unclear, domain.TroubleAnswer, ""},
		{"devino", 200, `{"result":[]}`, unclear, domain.TroubleAnswer, ""},
		{"devino", 200, `{"result":[{"code":"O`, unclear, domain.TroubleAnswer, ""},
		{"devino", 200, ``, unclear, domain.TroubleAnswer, ""},
		{"devino", 200, `<html>` + quote, unclear, domain.TroubleAnswer, ""},
		{"devino", 401, `{"code":"UNAUTHORIZED","description":"` + quote + `"}`, down, domain.TroubleStatus, "401"},
		{"devino", 400, quote, refused, domain.TroubleStatus, "400"},
		{"devino", 500, quote, unclear, domain.TroubleStatus, "500"},
		{"devino", 503, quote, down, domain.TroubleStatus, "503"},

		{"devino_v2", 400, `{"Code":6,"Desc":"Invalid source address ` + quote + `"}`, down, domain.TroubleRefused, "6"},
		{"devino_v2", 400, `{"Code":6,"Desc":"Invalid operation"}`, refused, domain.TroubleRefused, "6"},
		{"devino_v2", 400, `{"Code":2,"Desc":""}`, refused, domain.TroubleRefused, "2"},
		{"devino_v2", 401, `{"Code":4,"Desc":"Invalid user login or password"}`, down, domain.TroubleRefused, "4"},
		{"devino_v2", 403, `{"Code":5,"Desc":"Not enough credits"}`, down, domain.TroubleRefused, "5"},
		{"devino_v2", 403, `{"Code":7,"Desc":"Forbidden"}`, down, domain.TroubleRefused, "7"},
		{"devino_v2", 500, `{"Code":8,"Desc":"Gateway error"}`, unclear, domain.TroubleRefused, "8"},
		{"devino_v2", 500, `{"Code":9,"Desc":"` + quote + `"}`, unclear, domain.TroubleRefused, "9"},
		{"devino_v2", 200, `{"Code":6,"Desc":"Invalid source address"}`, down, domain.TroubleRefused, "6"},
		{"devino_v2", 200, `[]`, unclear, domain.TroubleAnswer, ""},
		{"devino_v2", 200, `["GW02`, unclear, domain.TroubleAnswer, ""},
		{"devino_v2", 200, ``, unclear, domain.TroubleAnswer, ""},
		{"devino_v2", 502, `<html>` + quote, unclear, domain.TroubleStatus, "502"},
		{"devino_v2", 429, ``, down, domain.TroubleStatus, "429"},
		{"devino_v2", 302, ``, down, domain.TroubleStatus, "302"},

		{"kannel", 202, "4: " + quote, refused, domain.TroubleRefused, "4"},
		{"kannel", 202, "Sent. " + quote, unclear, domain.TroubleAnswer, ""},
		{"kannel", 200, "", unclear, domain.TroubleAnswer, ""},
		{"kannel", 403, "Authorization failed for sendsms " + quote, down, domain.TroubleStatus, "403"},
		{"kannel", 403, "Not routable. Do not try again.", refused, domain.TroubleRefused, ""},
		{"kannel", 400, "Missing receiver number", refused, domain.TroubleStatus, "400"},
		{"kannel", 503, "Temporal failure, try again later.", down, domain.TroubleStatus, "503"},
		{"kannel", 204, "", unclear, domain.TroubleStatus, "204"},
	} {
		f.answers(c.status, c.body)
		_, err := made(f)[c.gateway].Messages.Send(t.Context(), domain.SMSText{MessageID: 1, To: "+" + aPhone, Text: aText})
		f.only(t)
		faultIs(t, err, c.fault, c.trouble)
		if e := (*domain.SMSError)(nil); errors.As(err, &e) && e.Detail != c.detail {
			t.Errorf("%s %d %q: the detail is %q, want %q", c.gateway, c.status, c.body, e.Detail, c.detail)
		}
	}
	// And what is taken without a name of its own.
	for gateway, body := range map[string]string{
		"devino": `{"result":[{"code":"OK","messageId":null}]}`, "kannel": "3: Queued for later delivery",
	} {
		f.answers(http.StatusAccepted, body)
		if id, err := made(f)[gateway].Codes.Send(t.Context(), aCode); id != "" || err != nil {
			t.Errorf("%s: %q, %v", gateway, id, err)
		}
		f.only(t)
	}
	f.answers(http.StatusOK, `{"result":[{"code":"OK","messageId":3741256489123456789}]}`)
	if id, err := made(f)["devino"].Codes.Send(t.Context(), aCode); id != "3741256489123456789" || err != nil {
		t.Errorf("a number for a name: %q, %v", id, err)
	}
}

// A gateway that leaves every message hanging, on all its connections, must
// not delay a code; and what breaks under messages sets no code aside.
func TestChannelsAreApart(t *testing.T) {
	for _, name := range []string{"devino", "devino_v2", "kannel"} {
		f := newFar(t)
		ctx, hangUp := context.WithCancel(t.Context())
		arrived := make(chan struct{}, 1000)
		f.says = func(w http.ResponseWriter, s sent) {
			if strings.Contains(s.Body+s.Query, "0042") {
				_, _ = io.WriteString(w, map[string]string{
					"devino": `{"result":[{"code":"OK","messageId":"1"}]}`, "devino_v2": `["1"]`, "kannel": "0: Accepted for delivery",
				}[name])
				return
			}
			arrived <- struct{}{}
			<-ctx.Done()
		}
		g := made(f)[name]
		var wg sync.WaitGroup
		const hanging = 200 // more than there are connections
		for range hanging {
			wg.Go(func() { _, _ = g.Messages.Send(ctx, domain.SMSText{MessageID: 1, To: "+" + aPhone, Text: "hang"}) })
		}
		for range 128 {
			<-arrived
		}
		// Behind them a code would wait for as long as they hang.
		patience, done := context.WithTimeout(t.Context(), 30*time.Second)
		if _, err := g.Codes.Send(patience, aCode); err != nil {
			t.Errorf("%s: a code beside messages that hang: %v", name, err)
		}
		done()
		hangUp()
		wg.Wait()
		if !g.Messages.Health().SetAside || g.Codes.Health() != (domain.GatewayHealth{}) {
			t.Errorf("%s: messages %+v, codes %+v", name, g.Messages.Health(), g.Codes.Health())
		}
		if _, err := g.Codes.Send(t.Context(), aCode); err != nil {
			t.Errorf("%s: a code while messages are set aside: %v", name, err)
		}
	}
}

func TestDevinoV2Status(t *testing.T) {
	f := newFar(t)
	g := made(f)["devino_v2"]
	for state, want := range map[int]domain.MessageState{
		-1: domain.MessageAccepted, -2: domain.MessageAccepted, 0: domain.MessageDelivered,
		10: domain.MessageUndelivered, 11: domain.MessageUndelivered, 42: domain.MessageUndelivered, 46: domain.MessageUndelivered, 69: domain.MessageUndelivered,
		47: domain.MessageUndelivered, -98: domain.MessageUndelivered, 99: "", 255: "", 1000: "",
	} {
		f.answers(http.StatusOK, fmt.Sprintf(`{"State":%d,"CreationDateUtc":null,"TimeStampUtc":"\/Date(-62135596800000)\/","StateDescription":"Неизвестный","Price":null}`, state))
		r, err := g.Statuses.Status(t.Context(), "SAR-GW01+79160000000-5f3b1972-2-1")
		if err != nil || r.State != want || r.Status != fmt.Sprint(state) || r.GatewayID == "" || r.Detail != `{"description":"Неизвестный"}` {
			t.Errorf("state %d: %+v, %v", state, r, err)
		}
		got := f.only(t)
		query, err := url.ParseQuery(got.Query)
		if err != nil || got.Method != http.MethodGet || got.Path != "/rest/v2/Sms/State" || !reflect.DeepEqual(query, url.Values{
			"Login": {"me"}, "Password": {password}, "messageId": {"SAR-GW01+79160000000-5f3b1972-2-1"},
		}) {
			t.Errorf("asked %+v", got)
		}
	}
	for _, bad := range []struct {
		status int
		body   string
		fault  domain.SMSFault
		what   domain.SMSTrouble
	}{
		{400, `{"Code":1,"Desc":"MessageID can not be null or empty"}`, domain.SMSRefused, domain.TroubleRefused},
		{200, `{}`, domain.SMSAmbiguous, domain.TroubleAnswer},
		{200, `{"State":"x"}`, domain.SMSAmbiguous, domain.TroubleAnswer},
		{500, ``, domain.SMSAmbiguous, domain.TroubleStatus},
	} {
		f.answers(bad.status, bad.body)
		_, err := g.Statuses.Status(t.Context(), "1")
		faultIs(t, err, bad.fault, bad.what)
		f.only(t)
	}
	f.Close()
	_, err := g.Statuses.Status(t.Context(), "1")
	faultIs(t, err, domain.SMSDown, domain.TroubleUnreachable)
}

func TestDevinoReports(t *testing.T) {
	devino := made(newFar(t))["devino"].Callbacks
	const form = "application/x-www-form-urlencoded"
	one := func(id int64, own string, state domain.MessageState, status, detail string) []domain.DeliveryReport {
		return []domain.DeliveryReport{{MessageID: id, GatewayID: own, State: state, Status: status, Detail: detail}}
	}
	for _, c := range []struct {
		name string
		call domain.Callback
		want []domain.DeliveryReport // none: it can't be read
	}{
		{"an object", domain.Callback{Body: []byte(`{"messageId":"77","status":"DELIVERED","options":{"m":"12"},"to":"` + aPhone + `","text":"` + aText + `","deliveredAt":"2026-03-14"}`)},
			one(12, "77", domain.MessageDelivered, "DELIVERED", `{"deliveredat":"2026-03-14"}`)},
		{"other names", domain.Callback{Body: []byte(`{"Message_ID":7411223344556677889,"State":"un-delivered","options":{"m":12}}`)},
			one(12, "7411223344556677889", domain.MessageUndelivered, "un-delivered", "")},
		{"a status with a name", domain.Callback{Body: []byte(`{"id":"77","status":{"code":3,"name":"Expired"}}`)}, one(0, "77", domain.MessageUndelivered, "Expired", "")},
		{"a word that nobody knows", domain.Callback{Body: []byte(`{"id":"77","status":"teleported"}`)}, one(0, "77", "", "teleported", "")},
		{"no word at all", domain.Callback{Body: []byte(`{"id":"77"}`)}, one(0, "77", "", "", "")},
		{"a list", domain.Callback{ContentType: "application/json", Body: []byte(`[{"id":"1","status":"sent"},{"id":"2","status":"rejected"},{"status":"lost"}]`)},
			append(one(0, "1", domain.MessageAccepted, "sent", ""), one(0, "2", domain.MessageUndelivered, "rejected", "")...)},
		{"wrapped", domain.Callback{Body: []byte("\uFEFF" + `{"messages":[{"id":"1","status":"Accepted"}]}`)}, one(0, "1", domain.MessageAccepted, "Accepted", "")},
		{"each in a wrapper of its own, and the batch with a name and a status", domain.Callback{Body: []byte(
			`{"id":"batch","status":"ok","reports":[{"report":{"id":"1","status":"delivered"}},{"report":{"id":"2","status":"expired"}}]}`)},
			append(append(one(0, "1", domain.MessageDelivered, "delivered", ""), one(0, "2", domain.MessageUndelivered, "expired", "")...),
				one(0, "batch", "", "ok", `{"reports":[{"report":{"id":"1","status":"delivered"}},{"report":{"id":"2","status":"expired"}}]}`)...)},
		{"with its operator", domain.Callback{Body: []byte(`{"messageId":"77","status":"delivered","operator":{"id":25,"name":"MTS"}}`)},
			one(0, "77", domain.MessageDelivered, "delivered", `{"operator":{"id":25,"name":"MTS"}}`)},
		{"a status with a number", domain.Callback{Body: []byte(`{"messageId":"77","status":{"id":3,"name":"Delivered"}}`)}, one(0, "77", domain.MessageDelivered, "Delivered", "")},
		{"ours, with its parts", domain.Callback{Body: []byte(`{"messageId":"77","options":{"m":"12"},"status":"delivered","segments":[{"id":"77-1"},{"id":"77-2"}]}`)},
			one(12, "77", domain.MessageDelivered, "delivered", `{"segments":[{"id":"77-1"},{"id":"77-2"}]}`)},
		{"one a line", domain.Callback{Body: []byte(`{"id":"1","status":"sent"}` + "\n" + `{"id":"2","status":"read"}` + "\n")},
			append(one(0, "1", domain.MessageAccepted, "sent", ""), one(0, "2", domain.MessageDelivered, "read", "")...)},
		{"with the text further in", domain.Callback{Body: []byte(`{"id":"77","status":"sent","sent":{"Text":"` + aText + `","to":"` + aPhone + `","at":"12:00"},"list":[{"phone":"` + aPhone + `"}]}`)},
			one(0, "77", domain.MessageAccepted, "sent", `{"list":[{}],"sent":{"at":"12:00"}}`)},
		{"a form", domain.Callback{ContentType: form + "; charset=utf-8", Body: []byte(`messageId=77&status=delivered&options%5Bm%5D=12&phone=` + aPhone + `&odd=1`)},
			one(12, "77", domain.MessageDelivered, "delivered", `{"odd":"1"}`)},
		{"a form with JSON inside", domain.Callback{ContentType: form, Body: []byte(`status=delivered&options=` + url.QueryEscape(`{"m":"12"}`))}, one(12, "", domain.MessageDelivered, "delivered", "")},
		{"a query", domain.Callback{Query: url.Values{"messageId": {"77"}, "status": {"delivered"}}}, one(0, "77", domain.MessageDelivered, "delivered", "")},
		{"an id that is none", domain.Callback{Body: []byte(`{"options":{"m":"-5"},"status":"delivered"}`)}, nil},
		{"broken", domain.Callback{Body: []byte(`{"messageId":"77"`)}, nil},
		{"empty", domain.Callback{}, nil},
		{"deep", domain.Callback{Body: []byte(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))}, nil},
		{"a picture", domain.Callback{ContentType: "image/png", Body: []byte("\x89PNG")}, nil},
	} {
		got, err := devino.Reports(c.call)
		if c.want == nil {
			if domain.KindOf(err) != domain.Invalid || strings.Contains(fmt.Sprint(err), "77") {
				t.Errorf("%s: %+v, %v", c.name, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
	if devino.Answer() != "" {
		t.Error("an answer might reach the customer as an SMS")
	}
}

func TestIncoming(t *testing.T) {
	all := made(newFar(t))
	values := url.Values{"sourcePhone": {aPhone}, "number": {"2435"}, "prefix": {"loto"}, "text": {"СТОП"}, "messageId": {"235515"}}
	bare := url.Values{"sourcePhone": {aPhone}, "prefix": {"STOP"}, "text": {" "}, "messageId": {"235516"}}
	for _, name := range []string{"devino", "devino_v2"} {
		for what, call := range map[string]domain.Callback{
			"form":  {ContentType: "application/x-www-form-urlencoded", Body: []byte(values.Encode())},
			"query": {Query: values},
		} {
			got, err := all[name].Callbacks.Incoming(call)
			if want := (domain.IncomingSMS{GatewayID: "235515", From: aPhone, Text: "СТОП", Prefix: "loto"}); err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("%s, %s: %+v, %v", name, what, got, err)
			}
		}
		if got, err := all[name].Callbacks.Incoming(domain.Callback{Query: bare}); err != nil || len(got) != 1 || got[0].Text != "STOP" {
			t.Errorf("%s: the prefix alone: %+v, %v", name, got, err)
		}
		if _, err := all[name].Callbacks.Incoming(domain.Callback{Query: url.Values{"text": {"x"}}}); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: an SMS of nobody: %v", name, err)
		}
	}
	// As no contract tells, and as it has been seen: in lists and wrappers, and in
	// the encoding of old Windows, where the header says so or does not.
	const cp1251 = "\xd1\xd2\xce\xcf, \xb8\xe6\xe8\xea \xb9 5"
	for what, c := range map[string]struct {
		call domain.Callback
		want []string
	}{
		"a list":                  {domain.Callback{Body: []byte(`[{"sourcePhone":"` + aPhone + `","text":"Привет"},{"sourcePhone":"` + aPhone + `","text":"СТОП","messageId":7}]`)}, []string{"Привет", "СТОП"}},
		"a wrapper":               {domain.Callback{Body: []byte(`{"id":"event","type":"mo","message":{"sourcePhone":"` + aPhone + `","text":"СТОП"}}`)}, []string{"СТОП"}},
		"with something inside":   {domain.Callback{Body: []byte(`{"sourcePhone":"` + aPhone + `","text":"СТОП","messageId":7,"operator":{"id":25,"name":"MTS"}}`)}, []string{"СТОП"}},
		"a form in Windows-1251":  {domain.Callback{ContentType: "application/x-www-form-urlencoded", Body: []byte("sourcePhone=" + aPhone + "&text=" + url.QueryEscape(cp1251))}, []string{"СТОП, ёжик № 5"}},
		"a query in Windows-1251": {domain.Callback{Query: url.Values{"sourcePhone": {aPhone}, "text": {cp1251}}}, []string{"СТОП, ёжик № 5"}},
		"JSON in Windows-1251":    {domain.Callback{Body: []byte(`{"sourcePhone":"` + aPhone + `","text":"` + cp1251 + `"}`)}, []string{"СТОП, ёжик № 5"}},
		"told by the header": {domain.Callback{ContentType: "application/x-www-form-urlencoded; charset=windows-1251", Body: []byte("sourcePhone=" + aPhone + "&text=%D0%B0")},
			[]string{"Р°"}},
		"UTF-8 with a broken byte": {domain.Callback{Query: url.Values{"sourcePhone": {aPhone}, "text": {"СТОП\xff"}}}, []string{"СТОП\xff"}},
	} {
		var texts []string
		got, err := all["devino"].Callbacks.Incoming(c.call)
		for _, m := range got {
			if m.From != aPhone {
				t.Errorf("%s: from %q", what, m.From)
			}
			texts = append(texts, m.Text)
		}
		if err != nil || !slices.Equal(texts, c.want) {
			t.Errorf("%s: %q, %v", what, texts, err)
		}
	}
	kannel := all["kannel"].Callbacks
	got, err := kannel.Incoming(domain.Callback{Query: url.Values{"from": {"+" + aPhone}, "text": {"STOP"}, "id": {"8f"}}})
	if want := (domain.IncomingSMS{GatewayID: "8f", From: "+" + aPhone, Text: "STOP"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("kannel: %+v, %v", got, err)
	}
}

func TestKannelReports(t *testing.T) {
	kannel := made(newFar(t))["kannel"].Callbacks
	for status, want := range map[string]domain.MessageState{
		"1": domain.MessageDelivered, "2": domain.MessageUndelivered, "4": domain.MessageAccepted, "8": domain.MessageAccepted, "16": domain.MessageUndelivered,
		"32": "", "": "", "x": "",
	} {
		got, err := kannel.Reports(domain.Callback{Query: url.Values{"m": {"12"}, "status": {status}, "smsc": {"mts"}, "to": {aPhone}}})
		if err != nil || len(got) != 1 || got[0] != (domain.DeliveryReport{MessageID: 12, State: want, Status: status, Detail: `{"smsc":"mts"}`}) {
			t.Errorf("%q: %+v, %v", status, got, err)
		}
	}
	for _, m := range []string{"", "0", "-1", "x", "99999999999999999999"} {
		if _, err := kannel.Reports(domain.Callback{Query: url.Values{"m": {m}, "status": {"1"}}}); domain.KindOf(err) != domain.Invalid {
			t.Errorf("message %q: %v", m, err)
		}
	}
}
