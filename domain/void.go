package domain

import (
	"context"
	"math"
)

// VoidPlan is what goes when a purchase is voided: what the screen names
// before, and what VoidPurchase does.
type VoidPlan struct {
	Visit      Visit
	Redemption *Redemption  // the use of a friend's code, nil: none
	UseKept    bool         // the code does not get the use back
	GiftFalls  bool         // and its owner loses the gift that waits for them
	Codes      []VoidedCode // the buyer's own codes that become void
	Standing   *Visit       // another purchase of the buyer, for which the other codes stay
	Messages   []Message    // to the buyer, that will not leave
}

// VoidedCode is a code that becomes void, with its uses: those stay as they
// are. A held one is a promise at the till.
type VoidedCode struct {
	PromoCode
	Held, Confirmed int
	GiftFalls       bool // a gift that waits for the buyer goes with it
}

// mayVoid gives nothing away: a visit of a foreign store does not exist.
func mayVoid(a Actor, v Visit) error {
	if !a.MaySupervise(v.StoreID) {
		return notFound()
	}
	if v.Outcome != Purchase || !v.Ended() {
		return &Error{Kind: Conflict, Message: Say("void.not_purchase")}
	}
	return nil
}

// PlanVoid tells a supervisor what voiding a purchase will take back. Of a
// voided purchase there is nothing left to tell.
func (s *Service) PlanVoid(ctx context.Context, a Actor, visitID int64) (VoidPlan, error) {
	v, err := s.DB.Visit(ctx, visitID)
	if err != nil {
		return VoidPlan{}, err
	}
	if err := mayVoid(a, v); err != nil || v.Voided() {
		return VoidPlan{Visit: v}, err
	}
	return s.planVoid(ctx, s.DB, v)
}

func (s *Service) planVoid(ctx context.Context, q Queries, v Visit) (VoidPlan, error) {
	plan := VoidPlan{Visit: v, UseKept: !s.Settings.PromoVoidReturnsUse}
	r, err := q.LiveRedemption(ctx, v.ID)
	switch {
	case err == nil:
		plan.Redemption = &r
		if plan.GiftFalls, err = s.giftFalls(ctx, q, r); err != nil {
			return plan, err
		}
	case !IsNotFound(err):
		return plan, err
	}
	if v.ContactID == nil || v.VerifiedAt == nil {
		// Whose phone it is was not proved, so the purchase earned nothing.
		return plan, nil
	}
	messages, err := q.VisitMessages(ctx, v.ID)
	if err != nil {
		return plan, err
	}
	for _, m := range messages {
		if m.State == MessageScheduled && m.ContactID == *v.ContactID {
			plan.Messages = append(plan.Messages, m)
		}
	}
	standing, err := q.StandingPurchase(ctx, v.ProgrammeID, *v.ContactID, v.ID)
	if err == nil {
		plan.Standing = &standing
	} else if !IsNotFound(err) {
		return plan, err
	}
	plan.Codes, err = s.voidedCodes(ctx, q, v, plan.Standing != nil)
	return plan, err
}

// giftFalls tells whether one confirmed use less takes the gift of its code.
func (s *Service) giftFalls(ctx context.Context, q Queries, r Redemption) (bool, error) {
	g, err := q.GiftOfCode(ctx, r.PromoCodeID)
	if IsNotFound(err) || err == nil && g.State != GiftEarned {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	programme, err := q.Programme(ctx, r.ProgrammeID)
	if err != nil {
		return false, err
	}
	n, err := q.ConfirmedUses(ctx, r.PromoCodeID)
	return n <= programme.GiftFriends, err
}

// voidedCodes are the codes that nothing stands for without this purchase. A
// code that all purchases of a customer share stays as long as one of them
// does, whichever it was made for.
func (s *Service) voidedCodes(ctx context.Context, q Queries, v Visit, standing bool) ([]VoidedCode, error) {
	owned, err := q.OwnedCodes(ctx, v.ProgrammeID, *v.ContactID, ReferralCode)
	if err != nil {
		return nil, err
	}
	var out []VoidedCode
	for _, p := range owned {
		if standing && (s.Settings.PromoOneLiveCode || p.SourceVisitID != v.ID) {
			continue
		}
		code := VoidedCode{PromoCode: p}
		g, err := q.GiftOfCode(ctx, p.ID)
		if err != nil && !IsNotFound(err) {
			return nil, err
		}
		code.GiftFalls = g.State == GiftEarned
		if code.Held, err = q.HeldUses(ctx, p.ID); err != nil {
			return nil, err
		}
		if code.Confirmed, err = q.ConfirmedUses(ctx, p.ID); err != nil {
			return nil, err
		}
		out = append(out, code)
	}
	return out, nil
}

// VoidPurchase takes a purchase back, with a reason that is kept: the use of
// its code returns or not (Settings.PromoVoidReturnsUse), what it earned is
// taken back, and what was not sent will not be. A voided purchase answers as
// before and keeps its first reason.
func (s *Service) VoidPurchase(ctx context.Context, a Actor, visitID int64, reason string) (Visit, error) {
	reason, fault := readReason(reason)
	var out Visit
	err := s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
		v, err := tx.LockVisit(ctx, visitID)
		if err != nil {
			return err
		}
		if err := mayVoid(a, v); err != nil {
			return err
		}
		if v.Voided() {
			out = v
			return nil
		}
		if fault != nil {
			return &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: map[string]Text{"reason": *fault}}
		}
		now := s.now()
		v.VoidedAt, v.VoidedBy, v.VoidReason = &now, &a.ID, reason
		if err := s.takeBack(ctx, tx, v, a); err != nil {
			return err
		}
		out = v
		return tx.SaveVisit(ctx, v)
	})
	return out, err
}

// takeBack undoes what a purchase caused. People are locked before codes, and
// codes before their uses, as everywhere.
func (s *Service) takeBack(ctx context.Context, tx Tx, v Visit, a Actor) error {
	var people []int64
	if v.ContactID != nil {
		people = append(people, *v.ContactID)
	}
	if r, err := tx.LiveRedemption(ctx, v.ID); err == nil {
		people = append(people, r.OwnerID)
	} else if !IsNotFound(err) {
		return err
	}
	if err := tx.LockContacts(ctx, people...); err != nil {
		return err
	}
	plan, err := s.planVoid(ctx, tx, v)
	if err != nil {
		return err
	}
	if err := tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: *v.VoidedAt, Kind: EventVoided}); err != nil {
		return err
	}
	var codes []int64
	for _, p := range plan.Codes {
		codes = append(codes, p.ID)
	}
	if plan.Redemption != nil {
		codes = append(codes, plan.Redemption.PromoCodeID)
	}
	if err := tx.LockPromoCodes(ctx, codes...); err != nil {
		return err
	}
	if plan.Redemption != nil {
		if err := s.voidUse(ctx, tx, v, *plan.Redemption, plan.UseKept); err != nil {
			return err
		}
	}
	for _, p := range plan.Codes {
		if err := tx.SetPromoState(ctx, p.ID, PromoVoid); err != nil {
			return err
		}
		// No number of friends is enough for a gift of a returned purchase.
		if err := s.revokeGift(ctx, tx, v, math.MaxInt32, p.ID); err != nil {
			return err
		}
		if err := tx.AddPromoEvent(ctx, PromoEvent{
			PromoCodeID: p.ID, StaffID: a.ID, At: *v.VoidedAt, Kind: PromoVoided, Detail: v.VoidReason,
		}); err != nil {
			return err
		}
	}
	return s.recallMessages(ctx, tx, v, plan.Standing)
}

func (s *Service) voidUse(ctx context.Context, tx Tx, v Visit, r Redemption, useKept bool) error {
	voided, err := tx.VoidRedemption(ctx, r.ID, useKept, *v.VoidedAt)
	if err != nil || !voided || r.Kind != ReferralCode {
		return err
	}
	programme, err := tx.Programme(ctx, r.ProgrammeID)
	if err != nil {
		return err
	}
	return s.revokeGift(ctx, tx, v, programme.GiftFriends, r.PromoCodeID)
}

// recallMessages cancels what the purchase would still have sent its customer.
// Where it would have told of a code that stays for another purchase, that one
// tells of it instead, at the hour that was promised.
func (s *Service) recallMessages(ctx context.Context, tx Tx, v Visit, standing *Visit) error {
	if v.ContactID == nil {
		return nil
	}
	recalled, err := tx.CancelVisitMessages(ctx, v.ID, *v.ContactID, "voided", *v.VoidedAt)
	if err != nil || standing == nil {
		return err
	}
	for _, m := range recalled {
		if m.Kind != ReferralMessage {
			continue
		}
		code, err := tx.PromoCodeByID(ctx, m.PromoCodeID)
		if err != nil {
			return err
		}
		told, err := tx.Told(ctx, code.ID, ReferralMessage)
		if err != nil {
			return err
		}
		if told || code.State == PromoVoid {
			continue
		}
		if err := s.schedule(ctx, tx, Message{
			Kind: ReferralMessage, ProgrammeID: m.ProgrammeID, ContactID: m.ContactID, VisitID: standing.ID,
			StoreID: standing.StoreID, PromoCodeID: code.ID, Language: standing.Language, DueAt: m.DueAt,
		}); err != nil {
			return err
		}
	}
	return nil
}
