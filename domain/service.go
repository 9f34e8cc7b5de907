package domain

import "time"

// Service offers every verb of the programme over its outside parts. It holds
// no state of its own, so any number of instances may stand side by side.
type Service struct {
	DB         Database
	Challenges Challenges
	Limits     Limits
	Gateways   []Gateway // in the order in which they are tried; none: nothing is sent
	Pacer      Pacer
	Throttle   Throttle
	SignIns    SignIns
	Clock      func() time.Time
	Secret     []byte // key of every HMAC: phone codes, phone keys in Redis
	Settings   Settings
	SiteURL    string // origin of the links that customers open, without a slash at the end

	CallbackURL string // origin under which gateways reach us
}

// now is the injected clock in UTC, cut to the microseconds that both
// databases keep.
func (s *Service) now() time.Time { return s.Clock().UTC().Truncate(time.Microsecond) }

// Now is the service's clock, for countdowns on a screen.
func (s *Service) Now() time.Time { return s.now() }
