package handlers

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
)

// htmx gets the part only where it will swap it into a page that is there;
// everybody else, and a history entry that is restored, needs the whole page.
func TestRenderPartOrPage(t *testing.T) {
	page, part := templ.Raw("page"), templ.Raw("part")
	for name, c := range map[string]struct {
		header map[string]string
		want   string
	}{
		"a browser":           {nil, "page"},
		"htmx, a part":        {map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"}, "part"},
		"htmx, the body":      {map[string]string{"HX-Request": "true", "HX-Request-Type": "full"}, "page"},
		"boosted":             {map[string]string{"HX-Request": "true", "HX-Request-Type": "partial", "HX-Boosted": "true"}, "page"},
		"history":             {map[string]string{"HX-Request": "true", "HX-Request-Type": "partial", "HX-History-Restore-Request": "true"}, "page"},
		"a type without htmx": {map[string]string{"HX-Request-Type": "partial"}, "page"},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			rec := httptest.NewRecorder()
			if err := render(echo.New().NewContext(req, rec), http.StatusUnprocessableEntity, page, part); err != nil {
				t.Fatal(err)
			}
			if rec.Body.String() != c.want || rec.Code != http.StatusUnprocessableEntity || rec.Header().Get("Vary") == "" || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %q, headers %v", rec.Code, rec.Body, rec.Header())
			}
		})
	}
}

// htmx reads HX-Location as a list of words, and takes a "path" among them for
// the address: whatever stands in ours, it must stay one word.
func TestRedirectIsOneWordToHTMX(t *testing.T) {
	for url, want := range map[string]string{
		"/visits/7/contact?late=1&day=2026-11-27":   "/visits/7/contact?late=1&day=2026-11-27",
		"/counter?,path:https://evil.example/":      "/counter?%2Cpath:https://evil.example/",
		"/counter?a path:https://evil.example/":     "/counter?a%20path:https://evil.example/",
		"/a,path:'https://evil.example/',b?":        "/a%2Cpath:'https://evil.example/'%2Cb?",
		"/counter?\u00a0path:https://evil.example/": "/counter?%C2%A0path:https://evil.example/",
		"/counter?\ufeffpath:\"/sign-in\"":          "/counter?%EF%BB%BFpath:\"/sign-in\"",
		"/counter?\tpath:/\r\nX: y":                 "/counter?%09path:/%0D%0AX:%20y",
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/store", nil)
		req.Header.Set("HX-Request", "true")
		rec := httptest.NewRecorder()
		if err := redirect(echo.New().NewContext(req, rec), url); err != nil {
			t.Fatal(err)
		}
		if got := rec.Header().Get("HX-Location"); got != want {
			t.Errorf("%q leads htmx to %q, want %q", url, got, want)
		}
	}
}
