package static

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, url string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, http.MethodGet, url)
}

func ask(t *testing.T, method, url string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, url, nil))
	return rec
}

func TestURLsCarryTheHashOfTheContent(t *testing.T) {
	shape := regexp.MustCompile(`^/static/css/app\.[0-9a-f]{12}\.css$`)
	if got := URL("css/app.css"); !shape.MatchString(got) {
		t.Errorf("URL = %q, want it like %s", got, shape)
	}
	_, before := mustLoad(fstest.MapFS{"a.js": {Data: []byte("1")}})
	_, after := mustLoad(fstest.MapFS{"a.js": {Data: []byte("2")}})
	if before["a.js"] == after["a.js"] {
		t.Error("another content kept its address: browsers would keep the old file for a year")
	}
}

func TestUnknownNamePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("URL of a missing file did not panic")
		}
	}()
	URL("css/none.css")
}

func TestEveryFileIsServedForEver(t *testing.T) {
	if len(urls) < 7 {
		t.Fatalf("only %d files embedded", len(urls))
	}
	want := map[string]string{
		"css/app.css": "text/css; charset=utf-8", "js/app.js": "text/javascript; charset=utf-8",
		"fonts/golos-text-cyrillic.woff2": "font/woff2", "img/favicon.svg": "image/svg+xml",
		"img/apple-touch-icon.png": "image/png",
	}
	for name, url := range urls {
		rec := get(t, url)
		if rec.Code != http.StatusOK || rec.Body.Len() == 0 {
			t.Errorf("%s: status %d, %d bytes", name, rec.Code, rec.Body.Len())
		}
		if got := rec.Header().Get("Cache-Control"); got != cacheControl {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if kind, known := want[name]; known && rec.Header().Get("Content-Type") != kind {
			t.Errorf("%s: Content-Type %q, want %q", name, rec.Header().Get("Content-Type"), kind)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is not embedded", name)
	}
}

func TestPlainOldAndForeignNamesAreNotFound(t *testing.T) {
	for _, url := range []string{
		"/static/css/app.css", "/static/css/app.000000000000.css", "/static/", "/static/css/",
		"/static/../static.go", "/static/css/app.src.css", "/static/VENDORED.md",
	} {
		rec := get(t, url)
		if rec.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", url, rec.Code)
		}
		if strings.Contains(rec.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: a missing file may be cached for ever", url)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	rec := ask(t, http.MethodPost, URL("js/app.js"))
	if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") == "" {
		t.Errorf("POST: status %d, Allow %q", rec.Code, rec.Header().Get("Allow"))
	}
	rec = ask(t, http.MethodHead, URL("js/app.js"))
	if rec.Code != http.StatusOK || rec.Body.Len() != 0 || rec.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: status %d, %d bytes, length %q", rec.Code, rec.Body.Len(), rec.Header().Get("Content-Length"))
	}
}

// What the styles load must be addresses that Handler knows, and of this host.
func TestAddressesInStylesLead(t *testing.T) {
	css := get(t, URL("css/app.css")).Body.String()
	found := regexp.MustCompile(`url\(["']?([^"')]+)`).FindAllStringSubmatch(css, -1)
	fonts := 0
	for _, match := range found {
		if strings.HasPrefix(match[1], "data:") {
			continue
		}
		if rec := get(t, match[1]); rec.Code != http.StatusOK {
			t.Errorf("app.css loads %s: status %d", match[1], rec.Code)
		}
		if strings.HasSuffix(match[1], ".woff2") {
			fonts++
		}
	}
	if fonts != 3 {
		t.Errorf("app.css loads %d fonts, want 3", fonts)
	}
	if strings.Contains(css, "@import") {
		t.Error("app.css imports another file")
	}
}
