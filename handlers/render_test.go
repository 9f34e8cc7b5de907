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
