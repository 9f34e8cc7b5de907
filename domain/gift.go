package domain

import (
	"context"
	"time"
)

// Gift is what the owner of a referral code gets once Programme.GiftFriends
// friends have bought with it: earned, then collected at a store, or revoked
// when a friend's purchase, or the owner's own, is taken back before that. One
// code earns one.
type Gift struct {
	ID               int64
	ProgrammeID      int64
	OwnerID          int64 // contact
	PromoCodeID      int64
	State            GiftState
	EarnedAt         time.Time
	RevokedAt        *time.Time
	CollectedAt      *time.Time
	CollectedVisitID *int64 // where it was handed over
}

// GiftState is where a gift stands: earned → collected, or earned → revoked,
// and from there earned again.
type GiftState string

// The states of a gift.
const (
	GiftEarned    GiftState = "earned"
	GiftCollected GiftState = "collected" // for good
	GiftRevoked   GiftState = "revoked"
)

// earnGift gives the owner of a just confirmed code their gift, and its
// message, when this friend was the one who was missing. The confirmed code is
// locked, so friends who buy at the same moment are counted one by one.
func (s *Service) earnGift(ctx context.Context, tx Tx, v Visit, p Programme, r Redemption) error {
	if r.Kind != ReferralCode || p.GiftFriends == 0 {
		return nil
	}
	earned, err := tx.EarnGift(ctx, Gift{
		ProgrammeID: r.ProgrammeID, OwnerID: r.OwnerID, PromoCodeID: r.PromoCodeID, EarnedAt: v.TouchedAt,
	}, p.GiftFriends)
	if err != nil || !earned {
		return err
	}
	owner, err := tx.Contact(ctx, r.OwnerID)
	if err != nil {
		return err
	}
	store, err := tx.Store(ctx, v.StoreID)
	if err != nil {
		return err
	}
	if err := s.schedule(ctx, tx, Message{
		Kind: GiftMessage, ProgrammeID: r.ProgrammeID, ContactID: r.OwnerID, VisitID: v.ID, StoreID: v.StoreID,
		PromoCodeID: r.PromoCodeID, Language: owner.Language, DueAt: s.NextDayAt(store, v.TouchedAt),
	}); err != nil {
		return err
	}
	return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, At: v.TouchedAt, Kind: EventGiftEarned})
}

// revokeGift takes the gift of a code back when the use that was just voided
// leaves too few. One that is collected stays with its owner.
func (s *Service) revokeGift(ctx context.Context, tx Tx, v Visit, friends int, promoCodeID int64) error {
	revoked, err := tx.RevokeGift(ctx, promoCodeID, friends, s.now())
	if err != nil || !revoked {
		return err
	}
	if err := tx.CancelCodeMessages(ctx, promoCodeID, GiftMessage, "gift_gone", s.now()); err != nil {
		return err
	}
	return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, At: s.now(), Kind: EventGiftRevoked})
}

// VisitGift is a gift on an advisor's screen.
type VisitGift struct {
	Gift
	Title Localised
}

// Collected tells a gift that was handed over from one that waits.
func (g VisitGift) Collected() bool { return g.State == GiftCollected }

// Gifts lists what waits for the customer of a visit, and what was handed to
// them in it. Before the phone has answered nobody learns of a gift: the
// number may be anybody's.
func (s *Service) Gifts(ctx context.Context, v Visit) ([]VisitGift, error) {
	if v.VerifiedAt == nil || v.ContactID == nil {
		return nil, nil
	}
	gifts, err := s.DB.VisitGifts(ctx, v.ProgrammeID, *v.ContactID, v.ID)
	if err != nil || len(gifts) == 0 {
		return nil, err
	}
	programme, err := s.DB.Programme(ctx, v.ProgrammeID)
	if err != nil {
		return nil, err
	}
	var out []VisitGift
	for _, g := range gifts {
		if g.State == GiftCollected || !v.Ended() {
			out = append(out, VisitGift{Gift: g, Title: programme.GiftTitle})
		}
	}
	return out, nil
}

// CollectGift hands a gift to the customer of a visit, whose phone has
// answered in this very visit and is the owner's. It happens once: the same
// visit asking again is answered as before, anybody else by a Conflict.
func (s *Service) CollectGift(ctx context.Context, a Actor, visitID, giftID int64) (Visit, error) {
	// A browser that hangs up does not take back what was handed over.
	return s.change(context.WithoutCancel(ctx), a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if v.ContactID == nil || v.VerifiedAt == nil {
			return stepTooEarly()
		}
		if err := tx.LockContacts(ctx, *v.ContactID); err != nil {
			return err
		}
		g, err := tx.Gift(ctx, giftID)
		if err != nil {
			return err
		}
		if g.OwnerID != *v.ContactID || g.ProgrammeID != v.ProgrammeID {
			return notFound()
		}
		if g.CollectedVisitID != nil && *g.CollectedVisitID == v.ID {
			return nil
		}
		ok, err := tx.CollectGift(ctx, g.ID, v.ID, v.TouchedAt)
		if err != nil {
			return err
		}
		if !ok {
			return &Error{Kind: Conflict, Message: Say("gift.gone")}
		}
		// Who came before the message has heard of it.
		if err := tx.CancelCodeMessages(ctx, g.PromoCodeID, GiftMessage, "gift_collected", v.TouchedAt); err != nil {
			return err
		}
		return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: v.TouchedAt, Kind: EventGiftCollected})
	})
}
