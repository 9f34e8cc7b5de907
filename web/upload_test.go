package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
)

// wire is a browser on a bad line: a connection on which a test sends a
// request bit by bit.
type wire struct {
	net.Conn
	t testing.TB
}

// dial opens a connection that ends with the test.
func dial(t testing.TB, address string) wire {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return wire{conn, t}
}

// begin sends the head of a form of so many bytes, as its sender would.
func (w wire) begin(c *client, path, contentType string, length int) {
	w.t.Helper()
	u, err := url.Parse(c.base)
	if err != nil {
		w.t.Fatal(err)
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", path, u.Host, contentType, length)
	for _, cookie := range c.http.Jar.Cookies(u) {
		head += "Cookie: " + cookie.String() + "\r\n"
	}
	w.send(head + "\r\n")
}

func (w wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads what comes back, and whether the connection ends with it.
func (w wire) answer() (a answer, last bool) {
	w.t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(w), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{Status: res.StatusCode, Header: res.Header, Body: string(body), Location: res.Header.Get("Location")}, res.Close
}

const formType = "application/x-www-form-urlencoded"

// importForm is an import as a plain form, and its type.
func importForm(codes ...string) string {
	return url.Values{
		"request_id": {domain.RandomToken(16)}, "title": {"Медленно"},
		"text": {importHead + "\n" + strings.Join(codes, ";15;;1;\n") + ";15;;1;\n"},
	}.Encode()
}

// A form that does not come in whole in its time is told so in words, whoever
// sends it where; it leaves no error in the log, for it is none of ours.
func TestSlowRequests(t *testing.T) {
	p := start(t, "DATA_DIR="+t.TempDir(), "REQUEST_TIMEOUT=1s", "UPLOAD_TIMEOUT=1s", kannelEnv[0], kannelEnv[1], kannelEnv[2], kannelEnv[3], kannelEnv[4], kannelEnv[5])
	guest, anna, vera := p.client(), p.as("anna"), p.as("vera")
	body := importForm("0000000013")
	const boundary = "b0undary"
	file := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"codes.csv\"\r\n\r\n" + importHead + "\r\n"
	lines := map[string]wire{}
	begin := func(name string, c *client, path, contentType, part string, length int) {
		w := dial(t, p.URL)
		w.begin(c, path, contentType, length)
		w.send(part)
		lines[name] = w
	}
	begin("an import", vera, importPath, formType, body[:20], len(body))
	begin("an import with a file", vera, importPath, "multipart/form-data; boundary="+boundary, file, 10*len(file))
	begin("nothing but the head", vera, importPath, formType, "", len(body))
	begin("another form", anna, "/promo-check", formType, "promo=12", 100)
	begin("a form of nobody", guest, "/sign-in", formType, "login=an", 100)
	begin("a gateway", guest, incomingURL("kannel"), formType, "from=79", 100)
	begin("nowhere", guest, "/nothing", formType, "a=b", 100)
	begin("where only a GET goes", anna, "/counter", formType, "a=b", 100)
	for name, w := range lines {
		a, last := w.answer()
		if a.Status != http.StatusRequestTimeout || !strings.Contains(a.Body, russian(t, "error.too_slow")) || !last {
			t.Errorf("%s: %d, closes: %v\n%.300s", name, a.Status, last, a.Body)
		}
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if log := p.out.String(); strings.Contains(log, "level=ERROR") || strings.Count(log, "status=408") != len(lines) {
		t.Errorf("the log says\n%s", log)
	}
}

// An import has longer to come in than other forms: when another one that
// began after it is over its time, it may still go on.
func TestSlowImport(t *testing.T) {
	p := start(t, "DATA_DIR="+t.TempDir(), "REQUEST_TIMEOUT=1s", "UPLOAD_TIMEOUT=1m")
	vera := p.as("vera")
	body := importForm("0000000013", "0000000021")
	slow, other := dial(t, p.URL), dial(t, p.URL)
	slow.begin(vera, importPath, formType, len(body))
	slow.send(body[:len(body)/2])
	other.begin(vera, "/promo-check", formType, 100)
	if a, _ := other.answer(); a.Status != http.StatusRequestTimeout {
		t.Fatalf("another form: %d", a.Status)
	}
	slow.send(body[len(body)/2:])
	if a, _ := slow.answer(); a.Status != http.StatusSeeOther || !newBatch.MatchString(a.Location) {
		t.Errorf("the import: %d\n%.500s", a.Status, a.Body)
	}
	// The browser's own patience ends after the server's.
	if html := vera.get(importPath).Body; !strings.Contains(html, `hx-config="{&#34;timeout&#34;:90000}"`) {
		t.Errorf("htmx gives up at another time:\n%s", html)
	}
}

// In the browser a form that came in too slowly stays as it was, a chosen file
// and all, says so, and can be sent once more.
func TestSlowImportInABrowser(t *testing.T) {
	t.Parallel()
	browser(t)
	p := start(t, "DATA_DIR="+t.TempDir())
	target, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	// A line on which an import is too slow, until it is not. Chromium sends a
	// form once more by itself where a connection that it had used before says so.
	var slow atomic.Bool
	slow.Store(true)
	through := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	line := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == importPath && slow.Load() {
			http.Error(w, "<h1>late</h1>", http.StatusRequestTimeout)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(line.Close)
	w := newWindow(t, line.URL)
	w.wrong.lost(true)
	w.toOffice("vera")
	w.open(importPath)
	w.fill("Название", "Медленно")
	w.paste("Или вставьте строки сюда", importHead+"\n0000000013;15;;1;\n")
	w.press("Загрузить")
	w.see("Запрос не дошёл целиком")
	if title := w.value("Название"); title != "Медленно" {
		t.Errorf("the form holds %q", title)
	}
	slow.Store(false)
	w.press("Повторить")
	w.see("000 000 0013")
}

// Somebody who hangs up amid a form, or while it is worked on, is no error,
// whatever words the parts below have for it.
func TestHangUp(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		anna, vera := p.as("anna"), p.as("vera")
		body := importForm("0000000013")
		gone := 0
		told := func() bool { return strings.Count(p.out.String(), "status=499") == gone }
		for name, cut := range map[string]func(w wire){
			"half a form": func(w wire) { w.begin(vera, importPath, formType, len(body)); w.send(body[:20]) },
			"half a file": func(w wire) {
				w.begin(vera, importPath, "multipart/form-data; boundary=x", 1000)
				w.send("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\ncode;")
			},
			"half a chunk": func(w wire) {
				w.send("POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: " + formType + "\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nlogin")
			},
			"reset": func(w wire) {
				w.begin(anna, "/promo-check", formType, 100)
				w.send("promo=1")
				if tcp, ok := w.Conn.(*net.TCPConn); !ok || tcp.SetLinger(0) != nil {
					t.Error("the connection can't be reset")
				}
			},
		} {
			w := dial(t, p.URL)
			cut(w)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			gone++
			until(t, name+" is told as gone", told)
		}
		// While the database keeps the request waiting.
		free := db.hold()
		w := dial(t, p.URL)
		form := "request_id=" + domain.RandomToken(16)
		w.begin(anna, "/visits", formType, len(form))
		w.send(form)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		gone++
		until(t, "a request that waited is told as gone", told)
		free()
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if log := p.out.String(); strings.Contains(log, "level=ERROR") {
			t.Errorf("the log says\n%s", log)
		}
	})
}

// hold keeps every write of visits waiting until it is let go.
func (d data) hold() (free func()) {
	d.t.Helper()
	conn, err := d.db.Conn(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	lock := []string{"BEGIN IMMEDIATE"}
	if d.postgres {
		lock = []string{"BEGIN", "LOCK TABLE visits IN EXCLUSIVE MODE"}
	}
	for _, s := range lock {
		if _, err := conn.ExecContext(context.Background(), s); err != nil {
			d.t.Fatal(err)
		}
	}
	return func() {
		d.t.Helper()
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			d.t.Error(err)
		}
		_ = conn.Close()
	}
}
