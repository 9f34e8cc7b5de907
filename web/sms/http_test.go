package sms_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/sms"
)

// line is a real TCP server that does with each connection what a test says,
// and counts what it gets.
type line struct {
	t        *testing.T
	listener net.Listener
	conns    atomic.Int32
	requests atomic.Int32
}

// newLine serves each connection by serve, which may read requests by take.
func newLine(t *testing.T, serve func(l *line, c *net.TCPConn)) *line {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, listener: listener}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.conns.Add(1)
			if tcp, ok := c.(*net.TCPConn); ok {
				go serve(l, tcp)
			}
		}
	}()
	return l
}

func (l *line) url() string { return "http://" + l.listener.Addr().String() + "/send?password=sesame" }

// take reads a whole request.
func (l *line) take(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.ReadAll(req.Body)
	l.requests.Add(1)
	return err == nil
}

func say(c net.Conn, text string) { _, _ = io.WriteString(c, text) }

// reset closes a connection the hard way.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// answering takes one request after another and says the same to each.
func answering(text string) func(l *line, c *net.TCPConn) {
	return func(l *line, c *net.TCPConn) {
		r := bufio.NewReader(c)
		for l.take(r) {
			say(c, text)
		}
		_ = c.Close()
	}
}

func whole(status, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

const (
	aPhone = "79161234567"
	aText  = "Ваш промокод 945 961 3126"
)

func post(ctx context.Context, client *http.Client, address string) (int, []byte, error) {
	return sms.Post(ctx, client, address, "text/plain", aPhone+aText, http.Header{"Authorization": {"Key sesame"}})
}

// faultIs holds an error against what it must mean, and against what it must
// never say.
func faultIs(t *testing.T, err error, fault domain.SMSFault, trouble domain.SMSTrouble) {
	t.Helper()
	var e *domain.SMSError
	if !errors.As(err, &e) || e.Fault != fault || e.Trouble != trouble {
		t.Errorf("%v (%+v), want fault %d, %s", err, e, fault, trouble)
		return
	}
	for _, said := range []string{e.Error(), e.Detail} {
		for _, secret := range []string{"sesame", aPhone, aPhone[1:], "945", "промокод", "127.0.0.1"} {
			if strings.Contains(said, secret) {
				t.Errorf("the error tells %q: %q", secret, said)
			}
		}
	}
}

func TestPostFaults(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for _, c := range []struct {
		name    string
		serve   func(l *line, c *net.TCPConn)
		fault   domain.SMSFault
		trouble domain.SMSTrouble
	}{
		{"reset in the middle of the request", func(_ *line, c *net.TCPConn) {
			_, _ = io.ReadFull(c, make([]byte, 10))
			reset(c)
		}, domain.SMSAmbiguous, domain.TroubleBroken},
		{"reset after the request", func(l *line, c *net.TCPConn) {
			l.take(bufio.NewReader(c))
			reset(c)
		}, domain.SMSAmbiguous, domain.TroubleBroken},
		{"closed after the request", func(l *line, c *net.TCPConn) {
			l.take(bufio.NewReader(c))
			_ = c.Close()
		}, domain.SMSAmbiguous, domain.TroubleBroken},
		{"never read", func(_ *line, c *net.TCPConn) { <-hang; _ = c.Close() }, domain.SMSAmbiguous, domain.TroubleSilent},
		{"never answered", func(l *line, c *net.TCPConn) {
			l.take(bufio.NewReader(c))
			<-hang
			_ = c.Close()
		}, domain.SMSAmbiguous, domain.TroubleSilent},
		{"half an answer and silence", func(l *line, c *net.TCPConn) {
			l.take(bufio.NewReader(c))
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			<-hang
			_ = c.Close()
		}, domain.SMSAmbiguous, domain.TroubleSilent},
		{"half an answer and the end", func(l *line, c *net.TCPConn) {
			l.take(bufio.NewReader(c))
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			_ = c.Close()
		}, domain.SMSAmbiguous, domain.TroubleBroken},
		// net/http quotes such a line in its error.
		{"no HTTP", func(l *line, c *net.TCPConn) {
			l.take(bufio.NewReader(c))
			say(c, "password=sesame to="+aPhone+" "+aText+"\r\n\r\n")
			_ = c.Close()
		}, domain.SMSAmbiguous, domain.TroubleBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLine(t, c.serve)
			// Only what hangs waits so long; a busy machine must have come so far.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, _, err := post(ctx, sms.NewClient(4), l.url())
			faultIs(t, err, c.fault, c.trouble)
			if n := l.conns.Load(); n != 1 {
				t.Errorf("%d connections for one text", n)
			}
		})
	}
}

// What certainly did not leave may go to the next gateway.
func TestPostNothingLeft(t *testing.T) {
	gone := newLine(t, func(*line, *net.TCPConn) {})
	_ = gone.listener.Close()
	_, _, err := post(t.Context(), sms.NewClient(4), gone.url())
	faultIs(t, err, domain.SMSDown, domain.TroubleUnreachable)

	_, _, err = post(t.Context(), sms.NewClient(4), "http://sesame:%zz/")
	faultIs(t, err, domain.SMSDown, domain.TroubleOwn)

	// A host that takes connections and does not speak TLS: nothing is said to
	// it before it has shown who it is.
	silent := newLine(t, func(_ *line, c *net.TCPConn) { _, _ = io.Copy(io.Discard, c); _ = c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, _, err = post(ctx, sms.NewClient(4), strings.Replace(silent.url(), "http:", "https:", 1))
	faultIs(t, err, domain.SMSDown, domain.TroubleUnreachable)

	// All connections are taken, and none comes free in time.
	hang, arrived := make(chan struct{}), make(chan struct{})
	busy := newLine(t, func(l *line, c *net.TCPConn) {
		l.take(bufio.NewReader(c))
		close(arrived)
		<-hang
		_ = c.Close()
	})
	client, first := sms.NewClient(1), make(chan error, 1)
	go func() { _, _, err := post(t.Context(), client, busy.url()); first <- err }()
	<-arrived
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err = post(ctx, client, busy.url())
	faultIs(t, err, domain.SMSDown, domain.TroubleUnreachable)
	close(hang)
	faultIs(t, <-first, domain.SMSAmbiguous, domain.TroubleBroken)
}

func TestPostAnswers(t *testing.T) {
	// Slow, but in time.
	slow := newLine(t, func(l *line, c *net.TCPConn) {
		l.take(bufio.NewReader(c))
		say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
		time.Sleep(50 * time.Millisecond) // the slowness is what is tested
		say(c, "ok")
		_ = c.Close()
	})
	if status, answer, err := post(t.Context(), sms.NewClient(1), slow.url()); status != 200 || string(answer) != "ok" || err != nil {
		t.Errorf("a slow answer: %d %q %v", status, answer, err)
	}
	huge := newLine(t, answering(whole("200 OK", strings.Repeat("x", 1<<20))))
	if status, answer, err := post(t.Context(), sms.NewClient(1), huge.url()); status != 200 || len(answer) != 64<<10 || err != nil {
		t.Errorf("a huge answer: %d, %d bytes, %v", status, len(answer), err)
	}
	endless := newLine(t, answering("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\nContent-Length: 0\r\n\r\n"))
	_, _, err := post(t.Context(), sms.NewClient(1), endless.url())
	faultIs(t, err, domain.SMSAmbiguous, domain.TroubleBroken)
	// A redirect is not followed: a text goes where the operator said.
	target := newLine(t, answering(whole("200 OK", "")))
	redirect := newLine(t, answering("HTTP/1.1 307 Temporary Redirect\r\nLocation: "+target.url()+"\r\nContent-Length: 0\r\n\r\n"))
	if status, _, err := post(t.Context(), sms.NewClient(1), redirect.url()); status != 307 || err != nil || target.conns.Load() != 0 {
		t.Errorf("a redirect: %d %v, %d connections to its target", status, err, target.conns.Load())
	}
}

// A connection that is kept and dies must not make a text go twice.
func TestPostKeptConnection(t *testing.T) {
	closed := make(chan struct{}, 1)
	polite := newLine(t, func(l *line, c *net.TCPConn) {
		l.take(bufio.NewReader(c))
		say(c, whole("200 OK", "ok"))
		_ = c.Close() // without having said so in a header
		closed <- struct{}{}
	})
	client := sms.NewClient(1)
	for i := range 50 {
		// The client may or may not have noticed yet; whatever it does, each
		// text arrives once at most, and twice never.
		_, _, err := post(t.Context(), client, polite.url())
		var e *domain.SMSError
		if err != nil && (!errors.As(err, &e) || e.Fault == domain.SMSRefused) {
			t.Errorf("text %d: %v", i, err)
		}
		if n := polite.requests.Load(); int(n) > i+1 {
			t.Fatalf("%d requests for %d texts", n, i+1)
		}
		if err == nil {
			<-closed
		}
	}

	rude := newLine(t, func(l *line, c *net.TCPConn) {
		r := bufio.NewReader(c)
		l.take(r)
		say(c, whole("200 OK", "ok"))
		l.take(r)
		reset(c)
	})
	client = sms.NewClient(1)
	if _, _, err := post(t.Context(), client, rude.url()); err != nil {
		t.Fatal(err)
	}
	_, _, err := post(t.Context(), client, rude.url())
	faultIs(t, err, domain.SMSAmbiguous, domain.TroubleBroken)
	if n, conns := rude.requests.Load(), rude.conns.Load(); n != 2 || conns != 1 {
		t.Errorf("%d requests over %d connections for two texts", n, conns)
	}
}

// stuck is a connection that takes nothing any more once it is told so.
type stuck struct {
	net.Conn
	on *atomic.Bool
}

func (c stuck) Write(p []byte) (int, error) {
	if c.on.Load() {
		return 0, errors.New("stuck")
	}
	return c.Conn.Write(p)
}

// A kept connection took nothing, and a new one does not come about: nothing
// has left, whatever lay in a buffer.
func TestPostSecondConnection(t *testing.T) {
	l := newLine(t, answering(whole("200 OK", "ok")))
	client := sms.NewClient(1)
	var on atomic.Bool
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		t.Fatalf("a client on %T", client.Transport)
	}
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if on.Load() {
			return nil, errors.New("refused")
		}
		c, err := dial(ctx, network, address)
		return stuck{c, &on}, err
	}
	if _, _, err := post(t.Context(), client, l.url()); err != nil {
		t.Fatal(err)
	}
	on.Store(true)
	_, _, err := post(t.Context(), client, l.url())
	faultIs(t, err, domain.SMSDown, domain.TroubleUnreachable)
	if n := l.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestBadStatus(t *testing.T) {
	for status, fault := range map[int]domain.SMSFault{
		204: domain.SMSAmbiguous, 206: domain.SMSAmbiguous,
		301: domain.SMSDown, 302: domain.SMSDown, 307: domain.SMSDown,
		400: domain.SMSRefused, 413: domain.SMSRefused, 422: domain.SMSRefused,
		401: domain.SMSDown, 402: domain.SMSDown, 403: domain.SMSDown, 404: domain.SMSDown, 405: domain.SMSDown, 408: domain.SMSDown, 429: domain.SMSDown,
		409: domain.SMSAmbiguous, 500: domain.SMSAmbiguous, 502: domain.SMSAmbiguous, 504: domain.SMSAmbiguous,
		503: domain.SMSDown,
	} {
		faultIs(t, sms.BadStatus(status), fault, domain.TroubleStatus)
	}
}
