package sms_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/sms"
)

// A gateway that breaks a kept connection after it has read a text may have
// sent it: net/http must not ask again, and the answer is "nobody knows".
func TestKannelAsksOnce(t *testing.T) {
	var asked atomic.Int64
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.URL.Query().Get("text") == "" {
			t.Errorf("%s with a body of %d, %v", r.URL, r.ContentLength, r.TransferEncoding)
		}
		if asked.Add(1) == 1 {
			_, _ = w.Write([]byte("0: Accepted for delivery"))
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}))
	defer gateway.Close()
	g := sms.NewKannel(sms.KannelOptions{URL: gateway.URL + "/cgi-bin/sendsms?account=7", User: "u", Password: "p", From: "Shop", Now: time.Now})
	text := domain.SMSText{MessageID: 1, To: "+79161234567", Text: "код", ReportURL: "http://127.0.0.1/g/x/reports"}
	if _, err := g.Messages.Send(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	_, err := g.Messages.Send(t.Context(), text)
	var failed *domain.SMSError
	if !errors.As(err, &failed) || failed.Fault != domain.SMSAmbiguous {
		t.Errorf("a broken connection gave %v", err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("the gateway was asked %d times for two texts", n)
	}
}

// Where nobody listens nothing has left.
func TestKannelIsAway(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	g := sms.NewKannel(sms.KannelOptions{URL: "http://" + address, Now: time.Now})
	_, err = g.Codes.Send(t.Context(), domain.SMSText{To: "+79161234567", Text: "0042", Code: true})
	var failed *domain.SMSError
	if !errors.As(err, &failed) || failed.Fault != domain.SMSDown {
		t.Errorf("a closed port gave %v", err)
	}
}

// As Kannel 1.4.5 calls: "Стоп ♥" in UTF-16, and "STOP" in UTF-8.
func TestKannelIncoming(t *testing.T) {
	g := sms.NewKannel(sms.KannelOptions{Now: time.Now})
	for query, want := range map[string]string{
		"from=79161234567&id=d1&text=%04!%04B%04%3E%04%3F%00+%26e&charset=UTF-16BE": "Стоп ♥",
		"from=79161234567&id=d1&text=STOP&charset=UTF-8":                            "STOP",
		"from=79161234567&id=d1&text=%04!%04&charset=utf-16be":                      "С",
		"from=79161234567&id=d1&text=%04!&charset=UTF16-BE":                         "С",
		"from=79161234567&id=d1&text=%04!&charset=ISO-10646-UCS-2":                  "С",
		"from=79161234567&id=d1&text=%D1&charset=WINDOWS-1251":                      "С",
		"from=79161234567&id=d1":                                                    "",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Callbacks.Incoming(domain.Callback{Query: values})
		if err != nil || len(got) != 1 || got[0] != (domain.IncomingSMS{GatewayID: "d1", From: "79161234567", Text: want}) {
			t.Errorf("%s gave %+v, %v", query, got, err)
		}
	}
}
