package domain

import (
	"context"
	"time"
)

// LimitLift is a supervisor's decision to lift a limit, on record.
type LimitLift struct {
	ID        int64
	RequestID string
	AttemptID int64 // at which the limit was met
	Name      LimitName
	Subject   string
	StaffID   int64
	Reason    string
	At        time.Time
}

// LiftRecord is a lift as a supervisor reads it later.
type LiftRecord struct {
	LimitLift
	StaffName string // who lifted it
	VisitID   int64  // in which it was met
	StoreName string
	TimeZone  string // of the store
}

// lifts that a page shows, the newest.
const recentLifts = 50

// MetLimit is a limit that holds now, with where it was met.
type MetLimit struct {
	AttemptID   int64
	VisitID     int64
	StoreID     int64
	StoreName   string
	TimeZone    string // of the store
	AdvisorName string
	Phone       string // of the visit's contact, E.164; empty where the visit has let go of it
	PhoneKey    string
	StaffID     int64
	AddressKey  string
	Name        LimitName
	At          time.Time // when it was met
	Until       time.Time // when it ends by itself; told by StandingLimits
}

// subject is whose limit it is.
func (m MetLimit) subject() string {
	switch m.Name {
	case LimitPhoneDay, LimitPhoneLock, LimitSendPhone:
		return phoneSubject(m.PhoneKey)
	case LimitStore, LimitSelfStore:
		return storeSubject(m.StoreID)
	case LimitSelfPage:
		return visitSubject(m.VisitID)
	case LimitSendAddress, LimitSelfAddress, LimitSelfSendAddress:
		return addressSubject(m.AddressKey)
	default:
		return staffSubject(m.StaffID)
	}
}

// metLimits is how many rows are looked through for limits that still hold.
const metLimits = 500

// StandingLimits lists the limits that hold now and were met in the actor's
// stores, the newest first, each once.
func (s *Service) StandingLimits(ctx context.Context, a Actor) ([]MetLimit, error) {
	if !a.Supervises() {
		return nil, forbidden()
	}
	ids, all := a.SupervisedStores()
	if !all && len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.DB.MetLimits(ctx, ids, all, s.now().Add(-s.phoneKept()), metLimits)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var met []MetLimit
	var budgets []Budget
	for _, m := range rows {
		s.hideOther(&m)
		b := s.budget(m.Name, m.subject())
		if key := string(m.Name) + " " + b.Subject; b.Kind != "" && !seen[key] {
			seen[key] = true
			met, budgets = append(met, m), append(budgets, b)
		}
	}
	return s.stillStanding(ctx, met, budgets)
}

// RecentLifts lists what was lifted in the actor's stores, the newest first.
func (s *Service) RecentLifts(ctx context.Context, a Actor) ([]LiftRecord, error) {
	if !a.Supervises() {
		return nil, forbidden()
	}
	ids, all := a.SupervisedStores()
	return s.DB.RecentLifts(ctx, ids, all, recentLifts)
}

// stillStanding keeps the limits that hold now and tells until when.
func (s *Service) stillStanding(ctx context.Context, met []MetLimit, budgets []Budget) ([]MetLimit, error) {
	if len(met) == 0 {
		return nil, nil
	}
	var limits []Limit
	err := s.judged(ctx, func() (err error) {
		limits, err = s.Limits.Standing(ctx, s.now(), budgets)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []MetLimit
	for i, l := range limits {
		if l.Name != "" {
			met[i].Until = s.now().Add(l.Wait)
			out = append(out, met[i])
		}
	}
	return out, nil
}

// StandingLimit gives one limit of StandingLimits; NotFound where it does not
// hold any more or is not the actor's to see.
func (s *Service) StandingLimit(ctx context.Context, a Actor, attemptID int64) (MetLimit, error) {
	m, err := s.metLimit(ctx, a, attemptID)
	if err != nil {
		return m, err
	}
	met, err := s.stillStanding(ctx, []MetLimit{m}, []Budget{s.budget(m.Name, m.subject())})
	if err != nil {
		return m, err
	}
	if len(met) == 0 {
		return m, notFound()
	}
	return met[0], nil
}

// hideOther takes a phone away that the visit has got only after the limit was
// met.
func (s *Service) hideOther(m *MetLimit) {
	if m.Phone != "" && s.PhoneKey(m.Phone) != m.PhoneKey {
		m.Phone = ""
	}
}

func (s *Service) metLimit(ctx context.Context, a Actor, attemptID int64) (MetLimit, error) {
	m, err := s.DB.MetLimit(ctx, attemptID)
	s.hideOther(&m)
	if err == nil && !a.MaySupervise(m.StoreID) {
		err = notFound()
	}
	return m, err
}

// LiftLimit makes what was counted up to now count no more, with a reason on
// record. The record comes first: a lift that Redis has missed is repeated by
// sending the form again, and a Redis that has lost everything learns of it
// from the record.
func (s *Service) LiftLimit(ctx context.Context, a Actor, attemptID int64, requestID, reason string) error {
	if !a.Supervises() {
		return forbidden()
	}
	m, err := s.metLimit(ctx, a, attemptID)
	if err != nil {
		return err
	}
	if !validRequestID(requestID) {
		return formStale()
	}
	reason, fault := readReason(reason)
	if fault != nil {
		return &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: map[string]Text{"reason": *fault}}
	}
	lift := LimitLift{
		RequestID: requestID, AttemptID: m.AttemptID, Name: m.Name, Subject: m.subject(), StaffID: a.ID, Reason: reason, At: s.now(),
	}
	ctx = context.WithoutCancel(ctx)
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) (err error) {
		// The same form once more lifts no later guess.
		lift, err = tx.AddLimitLift(ctx, lift)
		return err
	})
	if err != nil {
		return err
	}
	return s.judged(ctx, func() error { return s.Limits.Lift(ctx, s.budget(lift.Name, lift.Subject), lift.At) })
}

// ForgetPhoneKeys empties the keyed phones and addresses of attempts that no
// limit needs any more, and tells how many.
func (s *Service) ForgetPhoneKeys(ctx context.Context) (int, error) {
	done := 0
	for {
		n := 0
		err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) (err error) {
			n, err = tx.ForgetPhoneKeys(ctx, s.now().Add(-s.phoneKept()), 1000)
			return err
		})
		if err != nil || n == 0 {
			return done, err
		}
		done += n
	}
}

// ForgetPhoneKeysJob runs ForgetPhoneKeys.
type ForgetPhoneKeysJob struct{}

// Kind is the job's name in the queue.
func (ForgetPhoneKeysJob) Kind() string { return "forget_phone_keys" }
