package domain

import (
	"context"
	"errors"
)

// OutcomeForm is what the last step asks.
type OutcomeForm struct {
	Outcome   Outcome
	ProductID int64 // for a purchase
	// Discount is what the screen promised, in kopecks; nil when the screen
	// showed none yet. A purchase is not closed at another sum in silence.
	Discount *int64
}

// Quote is a price with the discount of the visit's held code.
type Quote struct {
	Product  Product
	Discount int64 // kopecks
}

// Total is what the customer pays, in kopecks.
func (q Quote) Total() int64 { return q.Product.Price - q.Discount }

// Quotes computes the price list for a visit, with the held redemption if
// there is one.
func (s *Service) Quotes(ctx context.Context, v Visit) ([]Quote, *Redemption, error) {
	products, err := s.DB.Products(ctx, v.ProgrammeID)
	if err != nil {
		return nil, nil, err
	}
	held, err := s.HeldPromo(ctx, v.ID)
	if err != nil {
		return nil, nil, err
	}
	programme, err := s.DB.Programme(ctx, v.ProgrammeID)
	if err != nil {
		return nil, nil, err
	}
	if !programme.Discounts() {
		held = nil
	}
	quotes := make([]Quote, len(products))
	for i, p := range products {
		quotes[i] = Quote{Product: p}
		if held != nil {
			quotes[i].Discount = held.Discount.Of(p.Price)
		}
	}
	return quotes, held, nil
}

// HeldPromo gives the held or confirmed redemption of a visit, nil where
// there is none.
func (s *Service) HeldPromo(ctx context.Context, visitID int64) (*Redemption, error) {
	r, err := s.DB.LiveRedemption(ctx, visitID)
	if IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// FinishVisit ends a visit with its outcome. Confirming the held code, the
// new code and its message's job commit in the same transaction. An ended
// visit answers as before, so that a double tap or a retry gives one result.
func (s *Service) FinishVisit(ctx context.Context, a Actor, visitID int64, f OutcomeForm) (Visit, error) {
	switch f.Outcome {
	case Trial, Purchase, Left:
	default:
		return Visit{}, invalid("outcome", "outcome.choose")
	}
	if f.Outcome == Purchase && f.ProductID == 0 {
		return Visit{}, invalid("product", "outcome.choose_product")
	}
	// A browser that hangs up does not undo a sale.
	v, err := s.change(context.WithoutCancel(ctx), a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if v.Next() != StepOutcome {
			return stepTooEarly()
		}
		if f.Outcome == Purchase {
			if err := s.sell(ctx, tx, v, a, f); err != nil {
				return err
			}
		}
		if err := s.end(ctx, tx, v, a.ID, f.Outcome); err != nil {
			return err
		}
		return s.follow(ctx, tx, *v)
	})
	var e *Error
	if errors.As(err, &e) && e.Message.Key == "error.visit_ended" {
		return s.OpenVisit(ctx, a, visitID)
	}
	return v, err
}

// sell writes product, price and discount and confirms the held code. A hold
// that ran out is taken again where a use is left; where none is, the advisor
// decides with the new sum before them.
func (s *Service) sell(ctx context.Context, tx Tx, v *Visit, a Actor, f OutcomeForm) error {
	product, err := tx.Product(ctx, f.ProductID)
	if IsNotFound(err) || err == nil && (product.ProgrammeID != v.ProgrammeID || !product.Active) {
		return invalid("product", "outcome.choose_product")
	}
	if err != nil {
		return err
	}
	v.ProductID, v.Price, v.Discount = &product.ID, product.Price, 0
	programme, err := tx.Programme(ctx, v.ProgrammeID)
	if err != nil {
		return err
	}
	r, err := tx.LiveRedemption(ctx, v.ID)
	if IsNotFound(err) && f.Discount != nil && *f.Discount > 0 {
		r, err = s.holdAgain(ctx, tx, v, a)
	}
	switch {
	case err == nil && !programme.Discounts():
		// Switched off since the use was held; the end of the visit gives it
		// back.
	case err == nil:
		v.Discount = r.Discount.Of(product.Price)
		if err := tx.LockContacts(ctx, r.FriendID, r.OwnerID); err != nil {
			return err
		}
		ok, err := tx.Confirm(ctx, r.ID, v.TouchedAt)
		if err != nil {
			return err
		}
		if !ok {
			return discountGone()
		}
		if err := s.earnGift(ctx, tx, *v, programme, r); err != nil {
			return err
		}
	case !IsNotFound(err):
		return err
	}
	if f.Discount != nil && *f.Discount != v.Discount {
		return discountGone()
	}
	return nil
}

// holdAgain takes the use back that the visit's last hold lost to the clock;
// NotFound where there was none or no use is left.
func (s *Service) holdAgain(ctx context.Context, tx Tx, v *Visit, a Actor) (Redemption, error) {
	past, err := tx.Redemptions(ctx, v.ID)
	if err != nil {
		return Redemption{}, err
	}
	if len(past) == 0 || v.ContactID == nil || s.Settings.PromoNeedsVerifiedPhone && v.VerifiedAt == nil {
		return Redemption{}, notFound()
	}
	// The promise was made to the phone that held, and to no other.
	lost := past[len(past)-1]
	if lost.State != RedemptionExpired || lost.FriendPhone != v.Phone {
		return Redemption{}, notFound()
	}
	p, err := tx.PromoCodeByID(ctx, lost.PromoCodeID)
	if err != nil {
		return Redemption{}, err
	}
	// The locks stand in their order: people, the programme, codes.
	if err := tx.LockContacts(ctx, *v.ContactID, p.OwnerID); err != nil {
		return Redemption{}, err
	}
	if err := s.lockReferrals(ctx, tx, p, *v); err != nil {
		return Redemption{}, err
	}
	var held Redemption
	refusal, err := s.refuse(ctx, tx, p, *v)
	if err == nil && refusal == nil {
		err = s.hold(ctx, tx, v, a, p, &held)
	}
	var late *Refusal
	if refusal != nil || errors.As(err, &late) {
		return Redemption{}, notFound()
	}
	return held, err
}

func discountGone() *Error {
	return &Error{Kind: Conflict, Message: Say("outcome.discount_changed")}
}

// follow starts what a visit causes: codes and messages for those who gave
// both consents and verified their phone.
func (s *Service) follow(ctx context.Context, tx Tx, v Visit) error {
	if v.ContactID == nil || v.VerifiedAt == nil || v.Voided() {
		// Whose phone it is was not proved: nothing may be sent to it, and
		// nothing of its owner may be changed.
		return nil
	}
	// Visits of one person that end at the same moment take their turn.
	if err := tx.LockContacts(ctx, *v.ContactID); err != nil {
		return err
	}
	if v.Outcome == Purchase {
		// A purchase starts the referral programme; a trial SMS that has not
		// left would speak of a first purchase that has happened.
		if _, err := tx.CancelMessages(ctx, v.ProgrammeID, *v.ContactID, TrialMessage, "purchased", s.now()); err != nil {
			return err
		}
	}
	p, err := s.promise(ctx, tx, v)
	if err != nil || p.Kind == "" {
		return err
	}
	code, err := s.issue(ctx, tx, v, p.Kind)
	if err != nil {
		return err
	}
	// A message that is still to come tells of the same code: one is enough.
	if err := tx.CancelCodeMessages(ctx, code.ID, p.Kind, "repeated", s.now()); err != nil {
		return err
	}
	return s.schedule(ctx, tx, Message{
		Kind: p.Kind, ProgrammeID: v.ProgrammeID, ContactID: *v.ContactID, VisitID: v.ID, StoreID: v.StoreID,
		PromoCodeID: code.ID, Language: v.Language, DueAt: p.At,
	})
}

// issue gives the contact a code of the message's kind: the live one where
// there is one, so that nobody collects codes by buying twice, unless a
// setting allows just that.
func (s *Service) issue(ctx context.Context, tx Tx, v Visit, kind MessageKind) (PromoCode, error) {
	programme, err := tx.Programme(ctx, v.ProgrammeID)
	if err != nil {
		return PromoCode{}, err
	}
	code := PromoCode{
		ProgrammeID: v.ProgrammeID, OwnerID: *v.ContactID, OwnerPhone: v.Phone, State: PromoActive,
		SourceVisitID: v.ID, CreatedAt: s.now(),
	}
	days := programme.ReferralDays
	switch kind {
	case TrialMessage:
		code.Kind, code.MaxUses, code.Discount, days = TrialCode, 1, programme.TrialDiscount, programme.TrialDays
	default:
		code.Kind, code.MaxUses, code.Discount = ReferralCode, programme.ReferralUses, programme.FriendDiscount
	}
	if code.Kind == TrialCode || s.Settings.PromoOneLiveCode {
		live, err := tx.LiveCode(ctx, v.ProgrammeID, *v.ContactID, code.Kind, s.now())
		if err == nil || !IsNotFound(err) {
			return live, err
		}
	}
	if days > 0 {
		store, err := tx.Store(ctx, v.StoreID)
		if err != nil {
			return PromoCode{}, err
		}
		// Good to the end of its last day at the store: what a text says.
		until := store.startOfDay(s.now(), days+1)
		code.ExpiresAt = &until
	}
	// With nine random digits a clash is one in a billion per live code;
	// eight in a row is a broken random source.
	for range 8 {
		if code.Code, err = newPromoDigits(); err != nil {
			return PromoCode{}, err
		}
		id, ok, err := tx.AddPromoCode(ctx, code)
		if err != nil {
			return PromoCode{}, err
		}
		if ok {
			code.ID = id
			return code, nil
		}
	}
	return PromoCode{}, &Error{Kind: Internal, Err: errors.New("no free promo code after eight draws")}
}
