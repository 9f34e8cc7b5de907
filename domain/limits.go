package domain

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LimitName says which limit a person has met; it is stored and told in words
// ("limit.<name>" in the catalogues).
type LimitName string

// The limits. Only the total of wrong guesses protects a short code, whoever
// guesses: so they are counted for the phone, for the advisor (who may be the
// one that invents customers) and for the store.
const (
	LimitPhoneDay  LimitName = "phone_day"  // wrong codes of one phone in 24 hours
	LimitPhoneLock LimitName = "phone_lock" // of one phone in 90 days, with locks that grow
	LimitAdvisor   LimitName = "advisor"    // wrong codes in the visits of one advisor in 24 hours
	LimitStore     LimitName = "store"      // wrong codes in one store in 24 hours

	LimitSendPhone   LimitName = "send_phone"   // SMS to one phone in 24 hours
	LimitSendAdvisor LimitName = "send_advisor" // SMS by one advisor in an hour
	LimitSendAddress LimitName = "send_address" // SMS asked for from one client address in an hour

	// What customers type and ask for on pages of their own counts for the phone
	// as anywhere else. For advisor and store it is kept apart: somebody with a
	// page in hand may close such pages, but never the counter. An advisor may
	// guess there too, so it is counted for them all the same.
	LimitSelfPage        LimitName = "self_page"         // wrong codes on one customer's page in 24 hours
	LimitSelfAddress     LimitName = "self_address"      // wrong codes on such pages from one client address in 24 hours
	LimitSelfAdvisor     LimitName = "self_advisor"      // on those of one advisor's visits in 24 hours
	LimitSelfStore       LimitName = "self_store"        // on those of one store in 24 hours
	LimitSelfSendAdvisor LimitName = "self_send_advisor" // SMS asked for on those of one advisor's visits in an hour
	LimitSelfSendAddress LimitName = "self_send_address" // SMS asked for on such pages from one client address in an hour

	LimitPromoAdvisor LimitName = "promo_advisor" // promo codes that do not exist, by one member of staff in 24 hours
	LimitPromoStore   LimitName = "promo_store"   // the same in one store
	LimitPromoAddress LimitName = "promo_address" // the same from one client address
)

// Windows of the limits. They slide: the sum holds for any stretch of this
// length, so that nobody doubles it at midnight.
const (
	limitDay   = 24 * time.Hour
	limitShort = time.Hour
	// limitLong is how long a phone's wrong guesses are held against it.
	limitLong = 90 * 24 * time.Hour
)

// CountedKind is what a budget counts.
type CountedKind string

// What is counted.
const (
	CountedWrong     CountedKind = "wrong"      // a wrong SMS code
	CountedSend      CountedKind = "send"       // an SMS with a code
	CountedSelfWrong CountedKind = "self_wrong" // a wrong SMS code on a customer's page, but for the phone
	CountedSelfSend  CountedKind = "self_send"  // an SMS asked for there, but for the phone
	CountedPromo     CountedKind = "promo"      // a promo code that does not exist
	// CountedOffice is the same, asked by somebody who stands in no store. It
	// leaves no row, so it is kept apart from what the rows must agree with.
	CountedOffice CountedKind = "office"
)

// RecordedKinds are those that are rebuilt from rows, and must agree with them.
func RecordedKinds() []CountedKind {
	return []CountedKind{CountedWrong, CountedSend, CountedSelfWrong, CountedSelfSend, CountedPromo}
}

// Budget is how often something may happen to one subject: at most Max times
// in any Window. With Locks it is none that refills but one that locks: each
// Max-th event within Window locks the subject, for Locks[0] at first, then
// for Locks[1] …, the last one repeats.
type Budget struct {
	Name    LimitName
	Kind    CountedKind
	Subject string // "phone:<keyed hash>", "staff:7", "store:3", "visit:9" or "address:<keyed hash>"
	Max     int
	Window  time.Duration
	Locks   []time.Duration
	// Keep is how long events are remembered, by all budgets alike that count
	// the same kind for the same subject: as long as any of them may still
	// hang on one. That is a window, and for a lock the lock after it.
	Keep time.Duration
}

// Limit is a budget that is used up; with an empty Name it is none.
type Limit struct {
	Name LimitName
	Wait time.Duration // until it has room again
}

// Counted is one event that a budget has counted, as it is rebuilt from the
// rows of the database.
type Counted struct {
	Kind    CountedKind
	Subject string
	ID      string // distinguishes events of one moment
	At      time.Time
	Keep    time.Duration
	Asked   bool // nobody knows yet whether it was counted; until then it is
	Lift    bool // no event: what was counted up to At counts no more
}

// ErrLimitsLost says that Redis has forgotten what was counted: it was
// emptied, or it is a new one. Nothing is judged until Limits.Restore has been
// called.
var ErrLimitsLost = errors.New("redis has lost the limits")

// Limits keeps the budgets. Each decision is one atomic step; a failure is of
// kind Unavailable or wraps ErrLimitsLost, and nothing is allowed then.
type Limits interface {
	// Spend counts one event in all budgets, or in none where one of them is
	// used up; that one is returned.
	Spend(ctx context.Context, id string, now time.Time, budgets []Budget) (Limit, error)
	// Refund takes one event back that Spend has counted.
	Refund(ctx context.Context, id string, budgets []Budget) error
	// Standing tells of each budget whether it is used up.
	Standing(ctx context.Context, now time.Time, budgets []Budget) ([]Limit, error)
	// Lift makes what was counted for the subject of a budget up to now count
	// no more. The locks of a phone go on growing from where they were.
	Lift(ctx context.Context, b Budget, at time.Time) error
	// Restore puts back what read gives, unless somebody else has done it. It
	// fails with ErrLimitsLost where Redis loses its memory meanwhile.
	Restore(ctx context.Context, now time.Time, read func(context.Context) ([]Counted, error)) error
	// Recorded lists every event that is counted, for holding them against the
	// rows; Keep is left out.
	Recorded(ctx context.Context) ([]Counted, error)
}

func phoneSubject(phoneKey string) string     { return "phone:" + phoneKey }
func staffSubject(id int64) string            { return "staff:" + strconv.FormatInt(id, 10) }
func storeSubject(id int64) string            { return "store:" + strconv.FormatInt(id, 10) }
func visitSubject(id int64) string            { return "visit:" + strconv.FormatInt(id, 10) }
func addressSubject(addressKey string) string { return "address:" + addressKey }

// addressKey is what limits count a client's address by, as Redis and the
// database know it; see countedAddress.
func (s *Service) addressKey(address string) string { return s.key("address", countedAddress(address)) }

// phoneKept is how long a wrong guess of a phone is remembered.
func (s *Service) phoneKept() time.Duration {
	return limitLong + slices.Max(append([]time.Duration{0}, s.Settings.CodeLocks...))
}

// budget gives one limit as it is set, for one subject.
func (s *Service) budget(name LimitName, subject string) Budget {
	set := s.Settings
	b := Budget{Name: name, Subject: subject, Window: limitDay}
	switch name {
	case LimitPhoneDay:
		b.Kind, b.Max, b.Keep = CountedWrong, set.CodeTriesPerDay, s.phoneKept()
	case LimitPhoneLock:
		b.Kind, b.Max, b.Window, b.Locks, b.Keep = CountedWrong, set.CodeLockAfter, limitLong, set.CodeLocks, s.phoneKept()
	case LimitAdvisor:
		b.Kind, b.Max = CountedWrong, set.CodeTriesPerAdvisor
	case LimitStore:
		b.Kind, b.Max = CountedWrong, set.CodeTriesPerStore
	case LimitSendPhone:
		b.Kind, b.Max = CountedSend, set.CodeSendsPerPhone
	case LimitSendAdvisor:
		b.Kind, b.Max, b.Window = CountedSend, set.CodeSendsPerAdvisor, limitShort
	case LimitSendAddress:
		b.Kind, b.Max, b.Window = CountedSend, set.CodeSendsPerAddress, limitShort
	case LimitSelfPage:
		b.Kind, b.Max = CountedSelfWrong, set.CodeSelfTriesPerPage
	case LimitSelfAddress:
		b.Kind, b.Max = CountedSelfWrong, set.CodeSelfTriesPerAddress
	case LimitSelfAdvisor:
		b.Kind, b.Max = CountedSelfWrong, set.CodeSelfTriesPerAdvisor
	case LimitSelfStore:
		b.Kind, b.Max = CountedSelfWrong, set.CodeSelfTriesPerStore
	case LimitSelfSendAdvisor:
		b.Kind, b.Max, b.Window = CountedSelfSend, set.CodeSendsPerAdvisor, limitShort
	case LimitSelfSendAddress:
		b.Kind, b.Max, b.Window = CountedSelfSend, set.CodeSendsPerAddress, limitShort
	case LimitPromoAdvisor:
		b.Kind, b.Max = CountedPromo, set.PromoTriesPerAdvisor
	case LimitPromoStore:
		b.Kind, b.Max = CountedPromo, set.PromoTriesPerStore
	case LimitPromoAddress:
		b.Kind, b.Max = CountedPromo, set.PromoTriesPerAddress
	}
	b.Keep = max(b.Keep, b.Window)
	return b
}

// kept is how long the events of a subject are remembered.
func (s *Service) kept(kind CountedKind, subject string) time.Duration {
	whose, _, _ := strings.Cut(subject, ":")
	switch {
	case kind == CountedWrong && whose == "phone":
		return s.phoneKept()
	case kind == CountedSend && whose != "phone", kind == CountedSelfSend:
		return limitShort
	default:
		return limitDay
	}
}

// wrongBudgets are those that a wrong code spends, those of the phone first.
func (s *Service) wrongBudgets(phoneKey, addressKey string, v Visit, entry CodeEntry) []Budget {
	phone := []Budget{s.budget(LimitPhoneDay, phoneSubject(phoneKey)), s.budget(LimitPhoneLock, phoneSubject(phoneKey))}
	if entry == EntrySelf {
		return append(phone,
			s.budget(LimitSelfPage, visitSubject(v.ID)), s.budget(LimitSelfAddress, addressSubject(addressKey)),
			s.budget(LimitSelfAdvisor, staffSubject(v.AdvisorID)), s.budget(LimitSelfStore, storeSubject(v.StoreID)))
	}
	return append(phone, s.budget(LimitAdvisor, staffSubject(v.AdvisorID)), s.budget(LimitStore, storeSubject(v.StoreID)))
}

// sendBudgets are those that an SMS with a code spends, that of the phone
// first.
func (s *Service) sendBudgets(phoneKey, addressKey string, v Visit, entry CodeEntry) []Budget {
	phone := []Budget{s.budget(LimitSendPhone, phoneSubject(phoneKey))}
	if entry == EntrySelf {
		return append(phone, s.budget(LimitSelfSendAdvisor, staffSubject(v.AdvisorID)), s.budget(LimitSelfSendAddress, addressSubject(addressKey)))
	}
	return append(phone, s.budget(LimitSendAdvisor, staffSubject(v.AdvisorID)), s.budget(LimitSendAddress, addressSubject(addressKey)))
}

// promoBudgets are those that an unknown promo code spends. Whoever stands in
// no store spends a budget of their own alone.
func (s *Service) promoBudgets(a Actor) []Budget {
	own := s.budget(LimitPromoAdvisor, staffSubject(a.ID))
	if a.StoreID == 0 {
		own.Kind = CountedOffice
		return []Budget{own}
	}
	return []Budget{
		own, s.budget(LimitPromoStore, storeSubject(a.StoreID)), s.budget(LimitPromoAddress, addressSubject(s.addressKey(a.Address))),
	}
}

// refusalBudgets are those that a refusal on record has spent.
func (s *Service) refusalBudgets(r PromoRefusal) []Budget {
	return []Budget{
		s.budget(LimitPromoAdvisor, staffSubject(r.StaffID)), s.budget(LimitPromoStore, storeSubject(r.StoreID)),
		s.budget(LimitPromoAddress, addressSubject(r.AddressKey)),
	}
}

// limited puts a limit into words. The time of its end is told to the minute
// by the screen, which knows the store's clock.
func limited(l Limit) *Error {
	return &Error{Kind: Limited, Message: Say("limit."+string(l.Name), "Count", hours(l.Wait)), RetryAfter: l.Wait}
}

// restoring is the turn to rebuild the limits.
var restoring = make(turns, 1)

// judged runs a call that asks the limits. Where Redis has lost them they are
// rebuilt from the rows first: a restart must give no guess back.
func (s *Service) judged(ctx context.Context, call func() error) error {
	err := call()
	if !errors.Is(err, ErrLimitsLost) {
		return err
	}
	// One at a time: whoever waited finds it done, and the rows are read once.
	if err := restoring.enter(ctx); err != nil {
		return err
	}
	defer restoring.leave()
	if err := call(); !errors.Is(err, ErrLimitsLost) {
		return err
	}
	if err = s.rebuild(ctx); err == nil {
		err = call()
	}
	if errors.Is(err, ErrLimitsLost) {
		err = &Error{Kind: Unavailable, Message: Say("error.unavailable"), Err: err}
	}
	return err
}

// rebuild fills Redis from the rows. What was asked when they were read, and has
// got its verdict before it was put back, is looked at again: whoever gave it
// that has found nothing to take back.
func (s *Service) rebuild(ctx context.Context) error {
	asked := map[Counted]bool{}
	err := s.Limits.Restore(ctx, s.now(), func(ctx context.Context) ([]Counted, error) {
		rows, err := s.countedRows(ctx)
		for _, c := range rows {
			if c.Asked {
				asked[Counted{Kind: c.Kind, Subject: c.Subject, ID: c.ID}] = true
			}
		}
		return rows, err
	})
	if err != nil || len(asked) == 0 {
		return err
	}
	rows, err := s.countedRows(ctx)
	if err != nil {
		return err
	}
	for _, c := range rows {
		delete(asked, Counted{Kind: c.Kind, Subject: c.Subject, ID: c.ID})
	}
	for c := range asked {
		if err := s.Limits.Refund(ctx, c.ID, []Budget{{Kind: c.Kind, Subject: c.Subject}}); err != nil {
			return err
		}
	}
	return nil
}

// countedRows gives what the rows say has been counted, within the windows
// that still matter.
func (s *Service) countedRows(ctx context.Context) ([]Counted, error) {
	now := s.now()
	attempts, err := s.DB.CountedAttempts(ctx, now.Add(-s.phoneKept()), now.Add(-limitDay))
	if err != nil {
		return nil, err
	}
	refusals, err := s.DB.CountedRefusals(ctx, now.Add(-limitDay))
	if err != nil {
		return nil, err
	}
	lifts, err := s.DB.LimitLifts(ctx, now.Add(-s.phoneKept()))
	if err != nil {
		return nil, err
	}
	var out []Counted
	add := func(id int64, at time.Time, asked bool, budgets []Budget) {
		for i, b := range budgets {
			// The two budgets of a phone count the same events.
			again := i > 0 && b.Kind == budgets[i-1].Kind && b.Subject == budgets[i-1].Subject
			if !again && at.After(now.Add(-b.Keep)) {
				out = append(out, Counted{Kind: b.Kind, Subject: b.Subject, ID: event(id), At: at, Keep: b.Keep, Asked: asked})
			}
		}
	}
	for _, at := range attempts {
		add(at.ID, at.At, at.Verdict == VerdictAsked, s.attemptBudgets(at))
	}
	for _, r := range refusals {
		add(r.ID, r.At, r.Reason == ReasonAsked, s.refusalBudgets(r))
	}
	for _, l := range lifts {
		b := s.budget(l.Name, l.Subject)
		out = append(out, Counted{Kind: b.Kind, Subject: b.Subject, At: l.At, Keep: b.Keep, Lift: true})
	}
	return out, nil
}
