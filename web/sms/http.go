package sms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"prilavok/domain"
)

const (
	// dialTimeout leaves time for the next gateway when a host is silent: a
	// code has four seconds in all.
	dialTimeout = 1500 * time.Millisecond
	// maxAnswer is far above any gateway's answer, in bytes.
	maxAnswer = 64 << 10
)

// The connections of each channel: codes are few and must never queue.
const (
	codeConns    = 32
	messageConns = 128
)

// channels gives both channels of a gateway. They share nothing but the
// address: a mass of messages takes no connection from a code, and what breaks
// under it sets no code aside.
func channels(g domain.Gateway, now func() time.Time, log *slog.Logger, sender func(*http.Client) send) domain.Gateway {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("gateway", g.Name)
	g.Codes = guard(log.With("channel", "codes"), now, breakFor, sender(newClient(codeConns)))
	g.Messages = guard(log.With("channel", "messages"), now, breakFor, sender(newClient(messageConns)))
	return g
}

// newClient makes the connections of one channel. It follows no redirect and
// knows no proxy: a text goes to the gateway that the operator named, once.
// HTTP/2 stays off: all texts would share one connection and break with it,
// and its client repeats a POST after some errors of the other side.
func newClient(conns int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			MaxConnsPerHost:        conns,
			MaxIdleConnsPerHost:    conns,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: maxAnswer,
			TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends a form or a document once and gives the answer. net/http repeats a
// POST by itself only where not a byte of it was written.
func post(ctx context.Context, client *http.Client, address, contentType, body string, header http.Header) (status int, answer []byte, err error) {
	return call(ctx, client, http.MethodPost, address, contentType, strings.NewReader(body), header)
}

// get sends a text by a query, once. By itself net/http repeats a GET when a
// kept connection breaks, although the gateway may have taken it; not so where
// the request has a body that can't be read a second time. This one is empty,
// so that nothing of it travels.
func get(ctx context.Context, client *http.Client, address string, query url.Values) (status int, answer []byte, err error) {
	to, own, found := strings.Cut(address, "?")
	if found {
		own += "&"
	}
	return call(ctx, client, http.MethodGet, to+"?"+own+query.Encode(), "", io.NopCloser(strings.NewReader("")), nil)
}

// call makes one call. An error says whether anything may have left: from the
// moment on at which the header lies in the buffer of the connection, for
// nobody tells how much of it the other side has read.
func call(ctx context.Context, client *http.Client, method, address, contentType string, body io.Reader, header http.Header) (status int, answer []byte, err error) {
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// A second connection is only asked for where the first one took nothing.
		GetConn:      func(string) { left.Store(false) },
		WroteHeaders: func() { left.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return 0, nil, &domain.SMSError{Fault: domain.SMSDown, Trouble: domain.TroubleOwn, Err: errors.New("the address of the gateway is wrong")}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := client.Do(req)
	if err == nil {
		defer func() { _ = res.Body.Close() }() // it was read, or is of no more use
		answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	}
	if err != nil {
		return 0, nil, failed(err, left.Load())
	}
	return res.StatusCode, answer, nil
}

// failed tells what became of a call that has no answer. The error itself is
// not passed on: it names the address, which may hold a password, and may
// quote what came back, which may hold the text.
func failed(err error, left bool) error {
	e := &domain.SMSError{Fault: domain.SMSDown, Trouble: domain.TroubleUnreachable, Err: errors.New("the gateway can't be reached")}
	var timeout net.Error
	switch late := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout(); {
	case left && late:
		e = &domain.SMSError{Fault: domain.SMSAmbiguous, Trouble: domain.TroubleSilent, Err: errors.New("the gateway does not answer in time")}
	case left:
		e = &domain.SMSError{Fault: domain.SMSAmbiguous, Trouble: domain.TroubleBroken, Err: errors.New("the connection broke before the answer")}
	}
	return e
}

// badStatus names what an HTTP status means for a text. What stands behind a
// 5xx other than 503 nobody knows. Of the others only a few speak of the text;
// the rest, redirects too, say that our settings or the account are wrong, and
// must not use up the messages of a whole programme.
func badStatus(status int) error {
	e := &domain.SMSError{
		Fault: domain.SMSAmbiguous, Trouble: domain.TroubleStatus, Detail: strconv.Itoa(status),
		Err: fmt.Errorf("the gateway answers with status %d", status),
	}
	switch {
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		e.Fault = domain.SMSRefused
	case status == http.StatusServiceUnavailable, status >= 300 && status < 500 && status != http.StatusConflict:
		e.Fault = domain.SMSDown
	}
	return e
}

// refused is a gateway's no to a text, in its own word. Where it is a no to our
// sender it is one to every text, and the gateway is down: the messages of a
// whole programme must not be used up by it.
func refused(word string) *domain.SMSError {
	e := &domain.SMSError{Fault: domain.SMSRefused, Trouble: domain.TroubleRefused, Detail: plain(word), Err: errors.New("the gateway refuses the text")}
	if e.Detail != "" {
		e.Err = fmt.Errorf("the gateway refuses the text: %s", e.Detail)
	}
	return e
}

// notUnderstood is an answer from which nobody can tell whether the text was
// taken.
func notUnderstood() error {
	return &domain.SMSError{Fault: domain.SMSAmbiguous, Trouble: domain.TroubleAnswer, Err: errors.New("the gateway's answer can't be understood")}
}

// plain keeps of a gateway's word what can be neither a text nor a phone.
func plain(word string) string {
	digits := 0
	for _, r := range word {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r < '0' || r > 'z' || r > '9' && r < 'A':
			if r != '-' && r != '.' && r != ' ' && r != ',' {
				return ""
			}
		}
	}
	if digits > 5 || len(word) > 80 {
		return ""
	}
	return word
}
