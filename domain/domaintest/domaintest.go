// Package domaintest fakes what is outside of Prilavok: the clock on the wall
// and the SMS gateway. Nothing of our own is faked.
package domaintest

import (
	"context"
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

// SMS is a gateway that keeps what it is given.
type SMS struct {
	mu   sync.Mutex
	sent []domain.SMSText
	fail error
}

// Send keeps the text, or fails as told by Fail.
func (s *SMS) Send(_ context.Context, m domain.SMSText) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.sent = append(s.sent, m)
	return nil
}

// Name is what messages note as their gateway.
func (s *SMS) Name() string { return "test" }

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
