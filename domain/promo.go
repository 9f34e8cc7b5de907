package domain

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"
)

// promoDigits is the length of a promo code: 9 random digits and a Damm
// check digit, shown and spoken 3-3-4.
const promoDigits = 10

// PromoKind is what a promo code is for.
type PromoKind string

// The kinds of promo code.
const (
	ReferralCode PromoKind = "referral" // for friends of its owner, never the owner
	TrialCode    PromoKind = "trial"    // for its owner only, one use
	BatchCode    PromoKind = "batch"    // of a batch: belongs to nobody, for any verified phone
)

// PromoState is what a supervisor or the program decided about a code.
// Expired and used up are no states: they follow from the clock and counter.
type PromoState string

// The states of a promo code.
const (
	PromoActive PromoState = "active"
	PromoFrozen PromoState = "frozen" // refused until it is thawed
	PromoVoid   PromoState = "void"   // refused for good
)

// PromoCode is a code that gives a discount. What it promises is copied from
// the programme when it is made: a later change breaks no promise.
type PromoCode struct {
	ID            int64
	ProgrammeID   int64
	Code          string // ten digits
	Kind          PromoKind
	OwnerID       int64  // contact; 0: it belongs to nobody
	OwnerPhone    string // E.164, of that contact; empty where there is none
	State         PromoState
	Discount      Discount
	MaxUses       int
	Used          int // held + confirmed + voided with the use kept, guarded by the database
	ExpiresAt     *time.Time
	SourceVisitID int64 // the visit that earned it; 0: none
	BatchID       int64 // the batch it was made in; 0: none
	CreatedAt     time.Time
}

// Left is how many uses are neither confirmed nor held.
func (p PromoCode) Left() int { return p.MaxUses - p.Used }

// LastDay is the last moment of the code, for saying until which day it is
// good; the zero time where it has no end.
func (p PromoCode) LastDay() time.Time {
	if p.ExpiresAt == nil {
		return time.Time{}
	}
	return p.ExpiresAt.Add(-time.Second)
}

// Expired tells whether the code has run out of time.
func (p PromoCode) Expired(t time.Time) bool { return p.ExpiresAt != nil && !t.Before(*p.ExpiresAt) }

// FoldPromoCode turns what was typed or pasted into bare digits: spaces,
// dashes and every other separator go, letters stay and fail the check.
func FoldPromoCode(typed string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune("._/\u2212", r) {
			return -1
		}
		return r
	}, foldDigits(typed))
}

// readPromoCode folds and checks what was typed before any database is asked.
func readPromoCode(typed string) (string, *Refusal) {
	code := FoldPromoCode(typed)
	if !tenDigits(code) {
		return "", &Refusal{Reason: ReasonMalformed}
	}
	if !dammValid(code) {
		return "", &Refusal{Reason: ReasonTypo}
	}
	return code, nil
}

func tenDigits(code string) bool {
	return len(code) == promoDigits && strings.Trim(code, "0123456789") == ""
}

// newPromoDigits draws a code: 9 uniform random digits and their check digit.
func newPromoDigits() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000))
	if err != nil {
		return "", fmt.Errorf("draw a promo code: %w", err)
	}
	nine := fmt.Sprintf("%09d", n)
	return nine + string(damm(nine)), nil
}

// ApplyPromo checks a code and holds one use of it for the visit. The same
// code again answers as before; another code takes the first one's place. A
// refusal is an *Error of kind Invalid on the field "promo" that wraps the
// *Refusal, and is stored although the attempt changed nothing else.
func (s *Service) ApplyPromo(ctx context.Context, a Actor, visitID int64, typed string) (Redemption, error) {
	if untyped(typed) {
		return Redemption{}, invalid("promo", "promo.empty")
	}
	code, refusal := readPromoCode(typed)
	guess, err := s.spendPromo(ctx, a, &visitID, refusal)
	if err != nil {
		return Redemption{}, err
	}
	var held Redemption
	_, err = s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		held = Redemption{}
		if !v.Reachable(StepPromo) && v.ContactID != nil {
			return stepTooEarly()
		}
		switch {
		case refusal != nil:
			return refusal
		case v.ContactID == nil:
			return &Refusal{Reason: ReasonNoPhone}
		case s.Settings.PromoNeedsVerifiedPhone && v.VerifiedAt == nil:
			return &Refusal{Reason: ReasonUnverified}
		}
		p, err := tx.PromoCode(ctx, code)
		if IsNotFound(err) {
			return &Refusal{Reason: ReasonUnknown}
		}
		if err != nil {
			return err
		}
		live, err := tx.LiveRedemption(ctx, v.ID)
		switch {
		case err == nil && live.PromoCodeID == p.ID && live.HeldUntil.After(v.TouchedAt):
			held = live
			return nil
		case err != nil && !IsNotFound(err):
			return err
		}
		if err := s.lockReferrals(ctx, tx, p, *v); err != nil {
			return err
		}
		// A held first code is given back only when the new one is good, so a
		// typo does not cost the customer what they had.
		if r, err := s.refuse(ctx, tx, p, *v); err != nil || r != nil {
			return orRefusal(err, r)
		}
		if err := tx.LockPromoCodes(ctx, p.ID, live.PromoCodeID); err != nil {
			return err
		}
		if err := s.releaseHold(ctx, tx, *v, a.ID); err != nil {
			return err
		}
		return s.hold(ctx, tx, v, a, p, &held)
	})
	var r *Refusal
	if errors.As(err, &r) {
		if err := guess.record(ctx, s, a, &visitID, r); err != nil {
			return Redemption{}, err
		}
		return Redemption{}, &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: map[string]Text{"promo": r.Text()}, Err: r}
	}
	return held, errors.Join(err, guess.settle(ctx, nil))
}

// PassPromo leaves the promo step, with a code or without.
func (s *Service) PassPromo(ctx context.Context, a Actor, visitID int64) (Visit, error) {
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if !v.Reachable(StepPromo) {
			return stepTooEarly()
		}
		if v.PromoPassed {
			return nil
		}
		v.PromoPassed = true
		return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: v.TouchedAt, Kind: EventPromoPassed})
	})
}

// PromoAnswer is what the quick page says about a code.
type PromoAnswer struct {
	Code    PromoCode
	Held    int      // uses held by open visits right now
	Refusal *Refusal // nil: it can be used
}

// LookUpPromo answers the question at the till: state and uses left, without
// a visit and without spending anything. It never tells whose code it is.
func (s *Service) LookUpPromo(ctx context.Context, a Actor, typed string) (PromoAnswer, error) {
	if !a.MayServe() && !a.Supervises() {
		return PromoAnswer{}, forbidden()
	}
	if untyped(typed) {
		return PromoAnswer{}, invalid("promo", "promo.empty")
	}
	code, refusal := readPromoCode(typed)
	guess, err := s.spendPromo(ctx, a, nil, refusal)
	if err != nil {
		return PromoAnswer{}, err
	}
	ans, err := s.lookUp(ctx, a, code, refusal)
	if err == nil && ans.Refusal != nil {
		return ans, guess.record(ctx, s, a, nil, ans.Refusal)
	}
	return ans, errors.Join(err, guess.settle(ctx, nil))
}

func (s *Service) lookUp(ctx context.Context, a Actor, code string, refusal *Refusal) (PromoAnswer, error) {
	if refusal != nil {
		return PromoAnswer{Refusal: refusal}, nil //nolint:nilerr // here a refusal is the answer, not a failure
	}
	p, err := s.DB.PromoCode(ctx, code)
	switch {
	case IsNotFound(err):
		return PromoAnswer{Refusal: &Refusal{Reason: ReasonUnknown}}, nil
	case err != nil:
		return PromoAnswer{}, err
	case a.StoreID == 0 && !a.SupervisesProgramme(p.ProgrammeID):
		return PromoAnswer{Refusal: &Refusal{Reason: ReasonUnknown}}, nil // another programme's is none
	}
	ans := PromoAnswer{Code: p}
	if ans.Held, err = s.DB.HeldUses(ctx, p.ID); err != nil {
		return ans, err
	}
	// No visit, so no phone: what depends on the phone is not asked. The
	// owner's phone stands in for a trial code and is never shown.
	asked := Visit{ProgrammeID: p.ProgrammeID}
	if a.StoreID != 0 {
		store, err := s.DB.Store(ctx, a.StoreID)
		if err != nil {
			return ans, err
		}
		asked.ProgrammeID = store.ProgrammeID
	}
	if p.Kind == TrialCode {
		asked.Phone = p.OwnerPhone
	}
	ans.Refusal, err = s.refuse(ctx, s.DB, p, asked)
	return ans, err
}
