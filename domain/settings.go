package domain

import "time"

// Settings are the operator's rules, read once from the environment (see
// .env.example for meaning, unit and default of each).
type Settings struct {
	AgeThreshold int      // full years a customer must have
	PhoneRegions []string // ISO 3166-1 alpha-2; the first is the default region

	CodeLength      int             // digits of an SMS code
	CodeLifetime    time.Duration   // of a challenge
	CodeTries       int             // wrong guesses per challenge
	CodeTriesPerDay int             // wrong guesses per phone and 24 hours
	CodeResendAfter []time.Duration // pause after the 1st, 2nd, … SMS; the last one repeats

	PromoHold               time.Duration // how long a use stays reserved for a visit
	PromoNeedsVerifiedPhone bool

	MessageAt    int // minutes after local midnight, when programme messages leave
	MessageFrom  int // minutes after local midnight, earliest
	MessageUntil int // minutes after local midnight, latest (exclusive)

	VisitAbandonedAfter time.Duration

	SignInAttempts           int // wrong passwords per login and quarter of an hour
	SignInAttemptsPerAddress int // wrong passwords per address and quarter of an hour
}

// DefaultSettings are the defaults of .env.example; a test in web holds the
// two together.
func DefaultSettings() Settings {
	return Settings{
		AgeThreshold:             18,
		PhoneRegions:             []string{"RU"},
		CodeLength:               4,
		CodeLifetime:             5 * time.Minute,
		CodeTries:                3,
		CodeTriesPerDay:          5,
		CodeResendAfter:          []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute},
		PromoHold:                15 * time.Minute,
		PromoNeedsVerifiedPhone:  true,
		MessageAt:                11 * 60,
		MessageFrom:              9 * 60,
		MessageUntil:             21 * 60,
		VisitAbandonedAfter:      12 * time.Hour,
		SignInAttempts:           10,
		SignInAttemptsPerAddress: 50,
	}
}
