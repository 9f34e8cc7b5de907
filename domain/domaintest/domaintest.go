// Package domaintest fakes what is outside of Prilavok: the clock on the wall
// and the SMS gateway. Nothing of our own is faked.
package domaintest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"prilavok/domain"
)

// Clock is a clock that goes only when it is told to.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// NewClock stands at t.
func NewClock(t time.Time) *Clock { return &Clock{t: t} }

// Now is what to give to domain.Service as its Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Add moves the clock on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// Set moves the clock to t.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// SMS is a gateway that keeps what it is given, over both channels.
type SMS struct {
	mu     sync.Mutex
	sent   []domain.SMSText
	fail   error
	health domain.GatewayHealth
}

// Gateway is what to give to domain.Service as one of its Gateways.
func (s *SMS) Gateway() domain.Gateway {
	return domain.Gateway{Name: "test", Codes: s, Messages: s, Rate: 1000}
}

// Send keeps the text, or fails as told by Fail. Its name for the text is made
// of the phone, as that of some gateways is.
func (s *SMS) Send(_ context.Context, m domain.SMSText) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return "", s.fail
	}
	s.sent = append(s.sent, m)
	return "sms-" + strconv.Itoa(len(s.sent)) + m.To, nil
}

// Health is what SetHealth has set.
func (s *SMS) Health() domain.GatewayHealth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// SetHealth makes the gateway look like this.
func (s *SMS) SetHealth(h domain.GatewayHealth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = h
}

// Fail makes every later Send fail with err; nil mends it.
func (s *SMS) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Sent gives the texts so far.
func (s *SMS) Sent() []domain.SMSText {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]domain.SMSText(nil), s.sent...)
}

// Last gives the newest text to a phone, empty where there is none.
func (s *SMS) Last(phone string) string {
	sent := s.Sent()
	for i := len(sent) - 1; i >= 0; i-- {
		if sent[i].To == phone {
			return sent[i].Text
		}
	}
	return ""
}
