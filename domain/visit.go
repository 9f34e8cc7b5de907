package domain

import (
	"context"
	"time"
)

// Visit is one conversation of one advisor with one customer in one store.
// It is saved after every step, so it can be resumed on any tablet of that
// store by that advisor.
type Visit struct {
	ID          int64
	ProgrammeID int64
	StoreID     int64
	AdvisorID   int64
	RequestID   string // of the form that started it; a double tap gives one visit
	Language    string // of the consent texts read and of the SMS to come
	Day         string // YYYY-MM-DD at the store
	StartedAt   time.Time
	TouchedAt   time.Time
	EndedAt     *time.Time

	Age            AgeCheck
	ConsentsAt     *time.Time // nil: not asked yet
	PersonalData   bool       // consent to personal data processing, as it stands
	Communications bool       // consent to receive communications, as it stands
	ContactID      *int64
	Phone          string // of the contact, read through it; E.164
	Link           string // random name of the link to the contact, which a verification proves; empty in visits from before there were any
	CustomerName   string // as given in this visit
	VerifiedAt     *time.Time
	CodeSkipped    bool   // the advisor went on without a verified phone
	CodeDeferred   bool   // the customer was given time to verify later, on a page of their own; stays when they have
	SelfToken      string // of that page; random, empty until the first SMS
	PromoPassed    bool   // the promo step was left, with a code or without

	Outcome   Outcome
	ProductID *int64
	Price     int64 // kopecks, of the price list at that moment
	Discount  int64 // kopecks

	VoidedAt   *time.Time // a supervisor took the purchase back
	VoidedBy   *int64     // staff
	VoidReason string
}

// Total is what the customer pays, in kopecks.
func (v Visit) Total() int64 { return v.Price - v.Discount }

// Voided tells whether the purchase was taken back.
func (v Visit) Voided() bool { return v.VoidedAt != nil }

// Ended tells whether nothing of the visit may change any more.
func (v Visit) Ended() bool { return v.EndedAt != nil }

// Outcome is how a visit ended.
type Outcome string

// The outcomes. An advisor chooses among the first three; the others are
// written by the program.
const (
	Open      Outcome = ""
	Trial     Outcome = "trial"     // tried and left
	Purchase  Outcome = "purchase"  // tried and bought
	Left      Outcome = "left"      // neither
	Refused   Outcome = "refused"   // age refused or under the threshold
	Abandoned Outcome = "abandoned" // untouched for Settings.VisitAbandonedAfter
)

// Outcomes lists every way a visit can have ended, for filters.
func Outcomes() []Outcome { return []Outcome{Purchase, Trial, Left, Refused, Abandoned} }

// Step is one screen of the visit.
type Step string

// The steps in their order.
const (
	StepAge      Step = "age"
	StepConsents Step = "consents"
	StepContact  Step = "contact"
	StepCode     Step = "code"
	StepPromo    Step = "promo"
	StepOutcome  Step = "outcome"
)

// Steps lists the steps in their order.
func Steps() []Step {
	return []Step{StepAge, StepConsents, StepContact, StepCode, StepPromo, StepOutcome}
}

// StepState is how a step stands in a visit.
type StepState string

// The states of a step.
const (
	StepTodo    StepState = "todo"
	StepDone    StepState = "done"
	StepSkipped StepState = "skipped" // does not apply: a consent is missing, or it was passed over
)

// State tells how a step stands. It is derived from what is saved and kept
// nowhere, so a reopened step can never disagree with it.
func (v Visit) State(s Step) StepState {
	done := false
	switch s {
	case StepAge:
		done = v.Age.Passed()
	case StepConsents:
		done = v.ConsentsAt != nil
	case StepContact:
		if v.ConsentsAt != nil && !v.PersonalData {
			return StepSkipped
		}
		done = v.ContactID != nil
	case StepCode:
		if v.ConsentsAt != nil && (!v.PersonalData || !v.Communications) {
			return StepSkipped
		}
		if v.VerifiedAt == nil && v.CodeSkipped {
			return StepSkipped
		}
		done = v.VerifiedAt != nil
	case StepPromo:
		if v.ConsentsAt != nil && !v.PersonalData {
			return StepSkipped
		}
		done = v.PromoPassed
	case StepOutcome:
		done = v.Outcome != Open
	}
	if done {
		return StepDone
	}
	return StepTodo
}

// Next is the first step that still has to be done, StepOutcome when all
// others are.
func (v Visit) Next() Step {
	for _, s := range Steps() {
		if v.State(s) == StepTodo {
			return s
		}
	}
	return StepOutcome
}

// Reachable tells whether a step may be opened: every step before it is done
// or does not apply, and the step itself applies. A skipped code step may be
// opened again, to verify after all.
func (v Visit) Reachable(s Step) bool {
	if v.Ended() {
		return false
	}
	switch s {
	case StepContact, StepPromo:
		if v.State(s) == StepSkipped {
			return false
		}
	case StepCode:
		if v.ContactID == nil || !v.Communications {
			return false
		}
	}
	for _, before := range Steps() {
		if before == s {
			return true
		}
		if v.State(before) == StepTodo {
			return false
		}
	}
	return false
}

// VisitEvent is one line of a visit's history. Detail holds words and
// numbers, never a phone, a name or a code.
type VisitEvent struct {
	VisitID int64
	StaffID int64 // 0: the program itself
	At      time.Time
	Kind    EventKind
	Detail  string // e.g. the age check or the outcome; may be empty
}

// EventKind names what happened in a visit.
type EventKind string

// The events of a visit.
const (
	EventStarted       EventKind = "started"
	EventAge           EventKind = "age"
	EventConsents      EventKind = "consents"
	EventContact       EventKind = "contact"
	EventContactErased EventKind = "contact_erased" // the consent was taken back during the visit
	EventVerified      EventKind = "verified"       // detail: the CodeEntry
	EventCodeSkipped   EventKind = "code_skipped"   // detail: how many SMS had been sent, as EventCodeDeferred
	EventCodeDeferred  EventKind = "code_deferred"  // the customer verifies later
	EventPromoHeld     EventKind = "promo_held"
	EventPromoReleased EventKind = "promo_released"
	EventPromoPassed   EventKind = "promo_passed"
	EventOutcome       EventKind = "outcome"
	EventVoided        EventKind = "voided"         // the purchase was taken back; why is told by the visit
	EventGiftEarned    EventKind = "gift_earned"    // this purchase earned the owner of its code a gift
	EventGiftRevoked   EventKind = "gift_revoked"   // and, taken back, cost it them
	EventGiftCollected EventKind = "gift_collected" // the customer was handed the gift that their own code earned
)

// VisitFilter limits a list of visits. Zero values do not filter, except
// StoreIDs, which is the permission: with AllStores unset only those stores
// are seen.
type VisitFilter struct {
	StoreIDs  []int64
	AllStores bool
	Day       string // YYYY-MM-DD at the visit's store
	StoreID   int64
	AdvisorID int64
	ContactID int64
	Outcome   Outcome
	OnlyOpen  bool
	Before    int64 // keyset: visits with a smaller id; 0 = from the newest
	Limit     int
}

// VisitRow is a line of the supervisor's list.
type VisitRow struct {
	Visit
	StoreName     string
	StoreTimeZone string
	AdvisorName   string
	ProductName   string
}

// StartVisit begins a visit at the actor's chosen store.
func (s *Service) StartVisit(ctx context.Context, a Actor, requestID, language string) (Visit, error) {
	if !a.MayServe() {
		return Visit{}, forbidden()
	}
	if !validRequestID(requestID) {
		return Visit{}, formStale()
	}
	var v Visit
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		store, err := tx.Store(ctx, a.StoreID)
		if err != nil {
			return err
		}
		if !store.Active {
			return forbidden()
		}
		now := s.now()
		id, created, err := tx.AddVisit(ctx, Visit{
			ProgrammeID: store.ProgrammeID, StoreID: store.ID, AdvisorID: a.ID, RequestID: requestID,
			Language: language, Day: store.Day(now), StartedAt: now, TouchedAt: now,
		})
		if err != nil {
			return err
		}
		if v, err = tx.Visit(ctx, id); err != nil {
			return err
		}
		if !created {
			return mayTouch(a, v)
		}
		return tx.AddVisitEvent(ctx, VisitEvent{VisitID: id, StaffID: a.ID, At: now, Kind: EventStarted})
	})
	return v, err
}

// validRequestID tells a form's request id from what somebody made up: it is
// kept in an index and must stay small.
func validRequestID(id string) bool { return id != "" && len(id) <= 64 }

func formStale() *Error { return &Error{Kind: Invalid, Message: Say("error.form_stale")} }

// OpenVisit gives a visit that the actor is serving: their own, in the store
// they have chosen. Anything else does not exist for them.
func (s *Service) OpenVisit(ctx context.Context, a Actor, id int64) (Visit, error) {
	v, err := s.DB.Visit(ctx, id)
	if err != nil {
		return Visit{}, err
	}
	return v, mayTouch(a, v)
}

// mayTouch answers NotFound rather than Forbidden for a foreign visit, so
// that ids tell nobody which visits exist.
func mayTouch(a Actor, v Visit) error {
	if !a.MayServe() || v.AdvisorID != a.ID || v.StoreID != a.StoreID {
		return notFound()
	}
	return nil
}

// change runs f on a locked, open visit of the actor and saves it, with the
// time of the touch.
func (s *Service) change(ctx context.Context, a Actor, id int64, f func(ctx context.Context, tx Tx, v *Visit) error) (Visit, error) {
	var out Visit
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		v, err := tx.LockVisit(ctx, id)
		if err != nil {
			return err
		}
		if err := mayTouch(a, v); err != nil {
			return err
		}
		if v.Ended() {
			return visitEnded()
		}
		v.TouchedAt = s.now()
		if err := f(ctx, tx, &v); err != nil {
			return err
		}
		if err := tx.SaveVisit(ctx, v); err != nil {
			return err
		}
		out = v
		return nil
	})
	return out, err
}

func visitEnded() *Error { return &Error{Kind: Conflict, Message: Say("error.visit_ended")} }

// end closes a locked visit: holds are given back unless they were confirmed
// before.
func (s *Service) end(ctx context.Context, tx Tx, v *Visit, staffID int64, o Outcome) error {
	now := s.now()
	v.Outcome, v.EndedAt = o, &now
	if err := s.releaseHold(ctx, tx, *v, staffID); err != nil {
		return err
	}
	return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: staffID, At: now, Kind: EventOutcome, Detail: string(o)})
}

// AbandonStaleVisits closes visits that nobody touched for
// Settings.VisitAbandonedAfter and gives their holds back. It returns how
// many it closed.
func (s *Service) AbandonStaleVisits(ctx context.Context) (int, error) {
	closed := 0
	for {
		before := s.now().Add(-s.Settings.VisitAbandonedAfter)
		ids, err := s.DB.StaleVisits(ctx, before, 100)
		if err != nil || len(ids) == 0 {
			return closed, err
		}
		for _, id := range ids {
			err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
				v, err := tx.LockVisit(ctx, id)
				if err != nil {
					return err
				}
				// Somebody may have touched or ended it since the list was read.
				if v.Ended() || !v.TouchedAt.Before(before) {
					return nil
				}
				if err := s.end(ctx, tx, &v, 0, Abandoned); err != nil {
					return err
				}
				closed++
				return tx.SaveVisit(ctx, v)
			})
			if err != nil {
				return closed, err
			}
		}
	}
}

// AbandonVisitsJob runs AbandonStaleVisits.
type AbandonVisitsJob struct{}

// Kind is the job's name in the queue.
func (AbandonVisitsJob) Kind() string { return "abandon_visits" }
