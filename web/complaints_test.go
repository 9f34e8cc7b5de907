package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"prilavok/sql/sqltest"
)

// complaints is what no page may cause.
type complaints struct {
	mu      sync.Mutex
	lines   []string
	offline bool // failed requests are what the test wants
}

func (c *complaints) hear(event any, host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add := func(format string, args ...any) { c.lines = append(c.lines, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		add("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var said []string
			for _, a := range e.Args {
				said = append(said, string(a.Value)+a.Description)
			}
			// htmx reports a lost request to the console as well.
			if !c.offline {
				add("console: %s", strings.Join(said, " "))
			}
		}
	case *log.EventEntryAdded:
		// A form that comes back with its fault is answered 4xx, which Chromium
		// finds worth an entry.
		fault := e.Entry.Source == log.EntrySourceNetwork && strings.Contains(e.Entry.Text, "responded with a status of 4")
		lost := c.offline && e.Entry.Source == log.EntrySourceNetwork
		if (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) && !fault && !lost {
			add("log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != host && u.Scheme != "data" && u.Scheme != "blob" && u.Scheme != "about" {
			add("request to another host: %s", e.Request.URL)
		}
	}
}

func (c *complaints) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.lines...)
}

func (c *complaints) lost(offline bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offline = offline
}

// TestComplaintsInABrowser holds the listener of the journeys against a page that does
// all that it must hear.
func TestComplaintsInABrowser(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	shared := browser(t)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/script.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, `console.error("an error of the console"); throw Error("an exception of the page")`)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'self'")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><title>Bad</title><link rel="icon" href="data:,"><p>bad<script>1</script><script src="/script.js"></script><img src="%s/pixel">`, other.URL)
	}))
	defer bad.Close()
	wrong := &complaints{}
	w := openTab(shared, t, bad.URL, wrong, chromedp.WithNewBrowserContext())
	w.open("/")
	for _, want := range []string{"console: ", "exception: ", "log: security", "request to another host: " + other.URL} {
		w.until("hear "+want, func() error {
			if !slices.ContainsFunc(wrong.list(), func(line string) bool { return strings.HasPrefix(line, want) }) {
				return fmt.Errorf("heard only %q", wrong.list())
			}
			return nil
		})
	}
}
