package sms_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/sms"
)

// tried is a channel behind a breaker, with the answers that it shall get.
type tried struct {
	domain.Sender
	mu    sync.Mutex
	err   error
	calls int
	gate  chan struct{} // each call waits for it where it is not nil
	log   strings.Builder
}

func newTried(now func() time.Time, aside time.Duration) *tried {
	g := &tried{}
	log := slog.New(slog.NewTextHandler(&g.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	g.Sender = sms.Guard(log, now, aside, func(context.Context, domain.SMSText) (string, error) {
		g.mu.Lock()
		g.calls++
		err, gate := g.err, g.gate
		g.mu.Unlock()
		if gate != nil {
			<-gate
		}
		return "id", err
	})
	return g
}

func (g *tried) says(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func (g *tried) asked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls
}

func fails(fault domain.SMSFault, trouble domain.SMSTrouble) error {
	return &domain.SMSError{Fault: fault, Trouble: trouble, Detail: "500", Err: errors.New("as told")}
}

func TestBreaker(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC)
	const aside = 30 * time.Millisecond
	g := newTried(func() time.Time { return at }, aside)
	send := func() error {
		_, err := g.Send(t.Context(), domain.SMSText{})
		return err
	}
	health := func(what string, want domain.GatewayHealth) {
		t.Helper()
		got := g.Health()
		if got.SetAside != want.SetAside || got.Failures != want.Failures || got.Trouble != want.Trouble ||
			(got.RetryAt == nil) != (want.RetryAt == nil) || got.RetryAt != nil && !got.RetryAt.Equal(*want.RetryAt) ||
			(got.LastAt == nil) != (want.LastAt == nil) || got.LastAt != nil && !got.LastAt.Equal(*want.LastAt) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	health("new", domain.GatewayHealth{})

	// A gateway that says no works: nothing sets it aside.
	g.says(fails(domain.SMSRefused, domain.TroubleRefused))
	for range 2 * sms.BreakAfter {
		faultIs(t, send(), domain.SMSRefused, domain.TroubleRefused)
	}
	health("refusals", domain.GatewayHealth{})

	// Four failures and a success in between are no row of five.
	g.says(fails(domain.SMSDown, domain.TroubleUnreachable))
	for range sms.BreakAfter - 1 {
		_ = send()
	}
	health("four", domain.GatewayHealth{Failures: 4, Trouble: domain.TroubleUnreachable, LastAt: &at})
	g.says(nil)
	if err := send(); err != nil {
		t.Error(err)
	}
	health("well again", domain.GatewayHealth{Trouble: domain.TroubleUnreachable, LastAt: &at})

	// An unclear answer is a failure like an outage.
	calls := g.asked()
	g.says(fails(domain.SMSAmbiguous, domain.TroubleSilent))
	for range sms.BreakAfter - 1 {
		_ = send()
	}
	g.says(fails(domain.SMSDown, domain.TroubleStatus))
	faultIs(t, send(), domain.SMSDown, domain.TroubleStatus)
	back := at.Add(aside)
	health("five", domain.GatewayHealth{SetAside: true, RetryAt: &back, Failures: 5, Trouble: domain.TroubleStatus, LastAt: &at})
	if d := g.Health().Detail; d != "500" {
		t.Errorf("the detail is %q", d)
	}
	faultIs(t, send(), domain.SMSDown, domain.TroubleSetAside)
	if n := g.asked() - calls; n != sms.BreakAfter {
		t.Errorf("%d texts reached the gateway, want %d", n, sms.BreakAfter)
	}

	// When the time is over exactly one text tries; the others go round.
	gate := make(chan struct{})
	g.mu.Lock()
	g.gate = gate
	g.mu.Unlock()
	await(t, func() bool { return !g.Health().SetAside })
	before, trial := g.asked(), make(chan error, 1)
	go func() { trial <- send() }()
	await(t, func() bool { return g.asked() > before })
	if !g.Health().SetAside {
		t.Error("a gateway on trial looks free to the others")
	}
	for range 3 {
		faultIs(t, send(), domain.SMSDown, domain.TroubleSetAside)
	}
	g.says(nil)
	close(gate)
	faultIs(t, <-trial, domain.SMSDown, domain.TroubleStatus) // it had failed already
	if h := g.Health(); !h.SetAside || h.RetryAt == nil {
		t.Errorf("after a failed trial: %+v", h)
	}
	await(t, func() bool { return !g.Health().SetAside })
	if err := send(); err != nil {
		t.Errorf("the second trial: %v", err)
	}
	health("well again", domain.GatewayHealth{Failures: 0, Trouble: domain.TroubleStatus, LastAt: &at})
	if err := send(); err != nil {
		t.Errorf("after a trial that went well: %v", err)
	}
	// A trial that failed is no news.
	if got, want := g.log.String(), `level=WARN msg="an SMS gateway fails and is set aside" trouble=status detail=500
level=WARN msg="an SMS gateway works again"
`; got != want {
		t.Errorf("the log says\n%s, want\n%s", got, want)
	}
}

// await asks until it is so: the breaker goes by its own clock.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came about")
		}
	}
}
