package sms

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"prilavok/domain"
)

const (
	// breakAfter is how many failures in a row set a gateway aside, and
	// breakFor for how long; then one text tries it again.
	breakAfter = 5
	breakFor   = 30 * time.Second
)

// send hands one text to a gateway.
type send func(ctx context.Context, m domain.SMSText) (string, error)

// guarded is a channel of a gateway behind a circuit breaker. A gateway that
// fails is set aside for a while, so that nobody waits for it in vain; one that
// refuses a text works.
type guarded struct {
	send    send
	breaker *gobreaker.CircuitBreaker[string]
	now     func() time.Time

	mu     sync.Mutex
	health domain.GatewayHealth
}

// guard puts a channel behind a breaker of its own, which sets it aside for
// aside. The log tells when that begins and when it ends, for nobody looks at
// the page of the gateways all night.
func guard(log *slog.Logger, now func() time.Time, aside time.Duration, s send) domain.Sender {
	g := &guarded{send: s, now: now}
	g.breaker = gobreaker.NewCircuitBreaker[string](gobreaker.Settings{
		MaxRequests:  1,
		Timeout:      aside,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakAfter },
		IsSuccessful: works,
		OnStateChange: func(_ string, from, to gobreaker.State) {
			g.mu.Lock()
			g.health.RetryAt = nil
			if to == gobreaker.StateOpen {
				at := now().Add(aside)
				g.health.RetryAt = &at
			}
			h := g.health
			g.mu.Unlock()
			switch {
			case from == gobreaker.StateClosed:
				log.Warn("an SMS gateway fails and is set aside", "trouble", h.Trouble, "detail", h.Detail)
			case to == gobreaker.StateClosed:
				log.Warn("an SMS gateway works again")
			}
		},
	})
	return g
}

// works tells whether an answer comes from a gateway that works.
func works(err error) bool {
	var e *domain.SMSError
	return err == nil || errors.As(err, &e) && e.Fault == domain.SMSRefused
}

// Send hands a text over unless the gateway is set aside.
func (g *guarded) Send(ctx context.Context, m domain.SMSText) (string, error) {
	id, err := g.breaker.Execute(func() (string, error) {
		id, err := g.send(ctx, m)
		g.note(err)
		return id, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return "", &domain.SMSError{Fault: domain.SMSDown, Trouble: domain.TroubleSetAside, Err: errors.New("the gateway is set aside")}
	}
	return id, err
}

// note keeps what an answer tells of the gateway.
func (g *guarded) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if works(err) {
		g.health.Failures = 0
		return
	}
	at := g.now()
	g.health.Failures++
	g.health.LastAt = &at
	g.health.Trouble, g.health.Detail = domain.TroubleOwn, ""
	var e *domain.SMSError
	if errors.As(err, &e) {
		g.health.Trouble, g.health.Detail = e.Trouble, e.Detail
	}
}

// Health tells how the channel does. While one text tries a gateway that was
// set aside, the others do not.
func (g *guarded) Health() domain.GatewayHealth {
	state, trying := g.breaker.State(), g.breaker.Counts().Requests > 0
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.health
	h.SetAside = state == gobreaker.StateOpen || state == gobreaker.StateHalfOpen && trying
	return h
}
