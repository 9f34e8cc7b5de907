package main

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"prilavok/domain"
)

// BenchmarkPage shows a visit's steps to a signed-in advisor, against a bare
// echo that gives the same bytes to everybody.
func BenchmarkPage(b *testing.B) {
	for _, page := range []struct {
		name string
		step domain.Step
		gzip bool
	}{
		{"page, contact", domain.StepContact, true},
		{"page, contact, not compressed", domain.StepContact, false},
		{"page, outcome", domain.StepOutcome, true},
		{"page, outcome, not compressed", domain.StepOutcome, false},
	} {
		b.Run(page.name, func(b *testing.B) {
			var path string
			var asks asked
			p := startBench(b, func(p bench, tap *tap) {
				promo := ""
				if page.step == domain.StepOutcome {
					promo = p.promoCode()
				}
				path = template(p.program, page.step, promo) + "/" + string(page.step)
				anna := p.as("anna")
				anna.get(path)
				asks = tap.during(func() { anna.get(path) })
			})
			q, bare := newQueue(p.program, "anna"), newQueue(p.program, "anna")
			body := p.as("anna").get(path).Body
			q.gzip, bare.gzip = page.gzip, page.gzip
			bare.base, bare.sessions = bareServer(b, body), nil
			b.Logf("%s is %d bytes", path, len(body))
			get := func(q *queue) side {
				return side{do: func(caller, _, _ int) error { return q.ask(caller, http.MethodGet, path, "", http.StatusOK, "") }}
			}
			contest{name: page.name, ops: 500, asks: asks, ours: get(q), rivals: []rival{{"bare echo", get(bare)}}}.run(b)
		})
	}
}

// bareServer serves one page at every address by the same server and the same
// compression as ours, with nothing else before or behind it.
func bareServer(b *testing.B, page string) string {
	b.Helper()
	e := echo.New()
	e.Use(middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1024}))
	e.GET("/*", func(c echo.Context) error { return c.HTML(http.StatusOK, page) })
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }()
	b.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String()
}
