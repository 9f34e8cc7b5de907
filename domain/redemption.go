package domain

import (
	"context"
	"time"
)

// Redemption is one use of a code by one visit.
type Redemption struct {
	ID          int64
	ProgrammeID int64
	PromoCodeID int64
	Code        string // of the code, filled when read
	Kind        PromoKind
	OwnerID     int64    // of the code, filled when read; 0: it belongs to nobody
	Discount    Discount // of the code, filled when read
	VisitID     int64
	FriendID    int64  // contact
	FriendPhone string // E.164
	State       RedemptionState
	HeldAt      time.Time
	HeldUntil   time.Time
	SettledAt   *time.Time // confirmed, released or expired
	VoidedAt    *time.Time // its purchase was taken back
	UseKept     bool       // voided, but the code did not get the use back
}

// RedemptionState is where a use stands: held → confirmed → voided, or held →
// released / expired.
type RedemptionState string

// The states of a redemption.
const (
	RedemptionHeld      RedemptionState = "held"
	RedemptionConfirmed RedemptionState = "confirmed"
	RedemptionReleased  RedemptionState = "released" // the visit ended otherwise, or the code was taken off it
	RedemptionExpired   RedemptionState = "expired"  // the hold ran out
	RedemptionVoided    RedemptionState = "voided"   // the purchase that confirmed it was taken back
)

// hold takes the use. Where the guard refuses although the reasons looked
// good, another till was faster: the reasons are read again.
func (s *Service) hold(ctx context.Context, tx Tx, v *Visit, a Actor, p PromoCode, held *Redemption) error {
	now := s.now()
	r := Redemption{
		ProgrammeID: p.ProgrammeID, PromoCodeID: p.ID, Code: p.Code, Kind: p.Kind, OwnerID: p.OwnerID, Discount: p.Discount,
		VisitID: v.ID, FriendID: *v.ContactID, FriendPhone: v.Phone,
		State: RedemptionHeld, HeldAt: now, HeldUntil: now.Add(s.Settings.PromoHold),
	}
	id, ok, err := tx.Hold(ctx, r)
	if err != nil {
		return err
	}
	if !ok {
		if p, err = tx.PromoCodeByID(ctx, p.ID); err != nil {
			return err
		}
		refusal, err := s.refuse(ctx, tx, p, *v)
		if err == nil && refusal == nil {
			refusal = &Refusal{Reason: ReasonAllHeld, Code: &p}
		}
		return orRefusal(err, refusal)
	}
	r.ID = id
	*held = r
	return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: now, Kind: EventPromoHeld, Detail: string(p.Kind)})
}

// ReleasePromo takes the held code off a visit.
func (s *Service) ReleasePromo(ctx context.Context, a Actor, visitID int64) (Visit, error) {
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		v.PromoPassed = false
		return s.releaseHold(ctx, tx, *v, a.ID)
	})
}

// releaseHold gives a held use of the visit back; a confirmed one and none at
// all are left alone.
func (s *Service) releaseHold(ctx context.Context, tx Tx, v Visit, staffID int64) error {
	r, err := tx.LiveRedemption(ctx, v.ID)
	if IsNotFound(err) || err == nil && r.State != RedemptionHeld {
		return nil
	}
	if err != nil {
		return err
	}
	ok, err := tx.Release(ctx, r.ID, RedemptionReleased, s.now())
	if err != nil || !ok {
		return err
	}
	return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: staffID, At: s.now(), Kind: EventPromoReleased, Detail: string(r.Kind)})
}

// ExpireHolds gives back every use whose hold has run out and returns how
// many. Holds on a code that somebody asks for are expired by Tx.Hold too, so
// nobody waits for this sweep.
func (s *Service) ExpireHolds(ctx context.Context) (int, error) {
	done := 0
	for {
		ids, err := s.DB.ExpiredHolds(ctx, s.now(), 100)
		if err != nil || len(ids) == 0 {
			return done, err
		}
		for _, id := range ids {
			err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
				ok, err := tx.Release(ctx, id, RedemptionExpired, s.now())
				if ok {
					done++
				}
				return err
			})
			if err != nil {
				return done, err
			}
		}
	}
}

// ExpireHoldsJob runs ExpireHolds.
type ExpireHoldsJob struct{}

// Kind is the job's name in the queue.
func (ExpireHoldsJob) Kind() string { return "expire_holds" }
