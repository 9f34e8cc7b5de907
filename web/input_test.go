package main

import (
	"net/http"
	"strings"
	"testing"
)

// What no person can have typed is the request's fault, on both engines:
// PostgreSQL would refuse it deep inside, as a fault of ours.
func TestUnreadableInput(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		anna := p.as("anna")
		for name, send := range map[string]func() answer{
			"NUL in a login":          func() answer { return p.client().post("/sign-in", "login", "a\x00b", "password", "x") },
			"NUL in a request id":     func() answer { return anna.post("/visits", "request_id", "a\x00b") },
			"no UTF-8":                func() answer { return anna.post("/visits", "request_id", "\xff") },
			"a broken escape":         func() answer { return anna.do(http.MethodPost, "/visits", nil, "request_id=%zz") },
			"NUL in a query":          func() answer { return anna.get("/promo-check?x=%00") },
			"an endless request id":   func() answer { return anna.post("/visits", "request_id", strings.Repeat("x", 50_000)) },
			"no request id":           func() answer { return anna.post("/visits") },
			"a NUL in a field's name": func() answer { return anna.post("/visits", "a\x00", "x") },
		} {
			if a := send(); a.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", name, a.Status)
			}
		}
		if a := anna.do(http.MethodGet, "/counter", http.Header{"X-Request-Id": {"chosen-by-the-client"}}, ""); a.Header.Get("X-Request-Id") == "chosen-by-the-client" {
			t.Error("the client chose the request id of our log")
		}
	})
}
