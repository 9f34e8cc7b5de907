package domain

import (
	"context"
	"time"
)

// Reason is why a promo code was refused; it is stored and told in words
// ("promo.refused.<reason>" in the catalogues).
type Reason string

// The reasons of a refusal.
const (
	ReasonMalformed   Reason = "malformed"    // not ten digits
	ReasonTypo        Reason = "typo"         // the check digit does not fit
	ReasonUnknown     Reason = "unknown"      // no such code in this programme
	ReasonExpired     Reason = "expired"      // its time is over
	ReasonFrozen      Reason = "frozen"       // stopped for now
	ReasonVoid        Reason = "void"         // stopped for good
	ReasonUsedUp      Reason = "used_up"      // every use is confirmed
	ReasonAllHeld     Reason = "all_held"     // the rest is held by other visits right now
	ReasonOwnCode     Reason = "own_code"     // the owner of a referral code
	ReasonNotOwner    Reason = "not_owner"    // somebody else's trial code
	ReasonPhoneUsed   Reason = "phone_used"   // this phone has redeemed a code of the programme
	ReasonRing        Reason = "ring"         // the owner came through this customer's own code, directly or through others
	ReasonNoPhone     Reason = "no_phone"     // an anonymous visit has no identity to limit
	ReasonUnverified  Reason = "unverified"   // the phone is not verified (a setting)
	ReasonDiscountOff Reason = "discount_off" // the programme gives no discounts now
	ReasonLimited     Reason = "limited"      // too many unknown codes before it; it was not looked up
	ReasonAsked       Reason = "asked"        // no refusal: it is being looked up, and nobody knows yet; never shown
)

// PromoRefusal is one refused attempt. What was typed is not kept: it may be
// anything, a phone number too.
type PromoRefusal struct {
	ID          int64
	VisitID     *int64 // nil: asked on the quick page
	PromoCodeID *int64
	StoreID     int64
	StaffID     int64
	Reason      Reason
	AddressKey  string // keyed hash of the client's address, for the limits
	At          time.Time
}

// Refusal is the error of a refused promo code: kind Invalid, with a reason.
type Refusal struct {
	Reason Reason
	Code   *PromoCode // when it is known which
}

func (r *Refusal) Error() string { return "promo code refused: " + string(r.Reason) }

// Text gives the refusal in words.
func (r *Refusal) Text() Text {
	return Say("promo.refused." + string(r.Reason))
}

// refuse finds the first reason why a visit may not use a code, nil where
// there is none. It only explains: the guard is Tx.Hold.
func (s *Service) refuse(ctx context.Context, q Queries, p PromoCode, v Visit) (*Refusal, error) {
	no := func(r Reason) (*Refusal, error) { return &Refusal{Reason: r, Code: &p}, nil }
	programme, err := q.Programme(ctx, p.ProgrammeID)
	if err != nil {
		return nil, err
	}
	switch {
	case p.ProgrammeID != v.ProgrammeID:
		return &Refusal{Reason: ReasonUnknown}, nil
	case !programme.Discounts():
		return no(ReasonDiscountOff)
	case p.State == PromoVoid:
		return no(ReasonVoid)
	case p.State == PromoFrozen:
		return no(ReasonFrozen)
	case p.Expired(s.now()):
		return no(ReasonExpired)
	case p.Kind == ReferralCode && p.OwnerPhone == v.Phone:
		return no(ReasonOwnCode)
	case p.Kind == TrialCode && p.OwnerPhone != v.Phone:
		return no(ReasonNotOwner)
	}
	used, err := q.PhoneRedeemed(ctx, p.ProgrammeID, v.Phone, v.ID)
	if err != nil {
		return nil, err
	}
	if used {
		return no(ReasonPhoneUsed)
	}
	if p.Kind == ReferralCode && v.ContactID != nil {
		ring, err := q.Referred(ctx, p.ProgrammeID, p.OwnerID, *v.ContactID)
		if err != nil {
			return nil, err
		}
		if ring {
			return no(ReasonRing)
		}
	}
	return s.noneLeft(ctx, q, p)
}

// lockReferrals makes the question of refuse about rings one that stays
// answered until the transaction ends. It is asked for before any code is
// locked.
func (s *Service) lockReferrals(ctx context.Context, tx Tx, p PromoCode, v Visit) error {
	if p.Kind != ReferralCode || v.ContactID == nil {
		return nil
	}
	return tx.LockReferrals(ctx, p.ProgrammeID, *v.ContactID)
}

// noneLeft tells a code that is used up from one whose last uses are held.
func (s *Service) noneLeft(ctx context.Context, q Queries, p PromoCode) (*Refusal, error) {
	if p.Left() > 0 {
		return nil, nil
	}
	held, err := q.HeldUses(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if held > 0 {
		return &Refusal{Reason: ReasonAllHeld, Code: &p}, nil
	}
	return &Refusal{Reason: ReasonUsedUp, Code: &p}, nil
}

func orRefusal(err error, r *Refusal) error {
	if err != nil {
		return err
	}
	return r
}

// refusalRow begins the row of a refusal.
func (s *Service) refusalRow(a Actor, visitID *int64, reason Reason) PromoRefusal {
	return PromoRefusal{VisitID: visitID, StoreID: a.StoreID, StaffID: a.ID, Reason: reason, AddressKey: s.addressKey(a.Address), At: s.now()}
}

// recordRefusal stores a refusal in a transaction of its own, because the one
// that found it was rolled back.
func (s *Service) recordRefusal(ctx context.Context, a Actor, visitID *int64, r *Refusal) error {
	row := s.refusalRow(a, visitID, r.Reason)
	if r.Code != nil {
		row.PromoCodeID = &r.Code.ID
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		_, err := tx.AddPromoRefusal(ctx, row)
		return err
	})
}
