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

	CodeLockAfter           int             // wrong guesses per phone in 90 days from lock to lock
	CodeLocks               []time.Duration // of the 1st, 2nd, … lock of a phone; the last one repeats
	CodeTriesPerAdvisor     int             // wrong guesses per advisor and 24 hours
	CodeTriesPerStore       int             // wrong guesses per store and 24 hours
	CodeSelfTriesPerPage    int             // wrong guesses on one customer's page and 24 hours
	CodeSelfTriesPerAddress int             // on such pages per client address and 24 hours
	CodeSelfTriesPerAdvisor int             // on those of one advisor's visits and 24 hours
	CodeSelfTriesPerStore   int             // on those of one store and 24 hours

	CodeSendsPerPhone   int           // SMS per phone and 24 hours
	CodeSendsPerAdvisor int           // SMS per advisor and hour
	CodeSendsPerAddress int           // SMS per client address and hour
	CodeLater           time.Duration // how long after a visit the customer may still verify by themselves

	PromoHold               time.Duration // how long a use stays reserved for a visit
	PromoNeedsVerifiedPhone bool
	PromoVoidReturnsUse     bool // a voided purchase gives the use of its code back
	PromoOneLiveCode        bool // a second purchase gives no second live code
	PromoTriesPerAdvisor    int  // unknown promo codes per advisor and 24 hours
	PromoTriesPerStore      int  // unknown promo codes per store and 24 hours
	PromoTriesPerAddress    int  // unknown promo codes per client address and 24 hours

	MessageAt    int // minutes after local midnight, when programme messages leave
	MessageFrom  int // minutes after local midnight, earliest
	MessageUntil int // minutes after local midnight, latest (exclusive)

	MessagesPerWeek     int           // programme messages to one person within seven days
	MessageReportWithin time.Duration // after which nobody hears of a message that a gateway took

	VisitAbandonedAfter time.Duration

	SignInAttempts           int // wrong passwords per login, lane and quarter of an hour
	SignInAttemptsPerAddress int // wrong passwords and refused tries per address and quarter of an hour
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
		CodeResendAfter:          []time.Duration{20 * time.Second, time.Minute, 2 * time.Minute},
		CodeLockAfter:            5,
		CodeLocks:                []time.Duration{24 * time.Hour, 72 * time.Hour, 168 * time.Hour, 720 * time.Hour},
		CodeTriesPerAdvisor:      10,
		CodeTriesPerStore:        50,
		CodeSelfTriesPerPage:     5,
		CodeSelfTriesPerAddress:  20,
		CodeSelfTriesPerAdvisor:  20,
		CodeSelfTriesPerStore:    50,
		CodeSendsPerPhone:        5,
		CodeSendsPerAdvisor:      60,
		CodeSendsPerAddress:      240,
		CodeLater:                168 * time.Hour,
		PromoHold:                15 * time.Minute,
		PromoNeedsVerifiedPhone:  true,
		PromoVoidReturnsUse:      true,
		PromoOneLiveCode:         true,
		PromoTriesPerAdvisor:     20,
		PromoTriesPerStore:       100,
		PromoTriesPerAddress:     100,
		MessageAt:                11 * 60,
		MessageFrom:              9 * 60,
		MessageUntil:             21 * 60,
		MessagesPerWeek:          3,
		MessageReportWithin:      72 * time.Hour,
		VisitAbandonedAfter:      12 * time.Hour,
		SignInAttempts:           10,
		SignInAttemptsPerAddress: 50,
	}
}
