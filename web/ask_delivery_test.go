package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"prilavok/domain"
)

// A gateway that is asked for the fate of each message, and leaves every
// question about a programme message hanging, keeps an advisor from nothing:
// what became of a code is asked beside them.
func TestQuestionsAboutMessagesHoldNothingUp(t *testing.T) {
	t.Parallel()
	const messages = 200
	env := onPostgres(t)
	var sent, hung, gaveUp atomic.Int64
	devino := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/Sms/Send"):
			kind := "message"
			if strings.Contains(r.Form.Get("Data"), "код") {
				kind = "code"
			}
			_, _ = fmt.Fprintf(w, `["%s-%d"]`, kind, sent.Add(1))
		case strings.HasPrefix(r.Form.Get("messageId"), "code"):
			_, _ = w.Write([]byte(`{"State":0,"StateDescription":"Delivered"}`))
		default:
			hung.Add(1)
			<-r.Context().Done()
			gaveUp.Add(1)
		}
	}))
	t.Cleanup(devino.Close)
	p := start(t, env...)
	db := openData(t, env)
	visit := p.as("anna").walk(p, customer{phone: "+7 916 700 00 41"}, domain.StepCode)
	db.due(p, messages)

	p = start(t, slices.Concat(env, hours(), []string{
		"SMS_GATEWAYS=devino_v2", "DEVINO_V2_URL=" + devino.URL, "DEVINO_V2_LOGIN=u", "DEVINO_V2_PASSWORD=p", "DEVINO_V2_FROM=Shop", "DEVINO_V2_RATE=1000",
	})...)
	anna := p.as("anna")
	until(t, "every message is sent and questions hang", func() bool {
		return hung.Load() > 0 && db.one(`SELECT count(*) FROM messages WHERE id >= $1 AND state = 'accepted'`, firstDue) == fmt.Sprint(messages)
	})
	anna.sendCode(visit)
	until(t, "the code is known to be delivered", func() bool {
		if n := gaveUp.Load(); n > messages/4 {
			t.Fatalf("%d questions about messages ended before the one about the code was asked", n)
		}
		return db.one(`SELECT state FROM messages WHERE visit_id = $1 ORDER BY id DESC LIMIT 1`, idOf(visit)) == "delivered"
	})
}
