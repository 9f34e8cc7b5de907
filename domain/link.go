package domain

import "context"

// A visit is linked to the person whose phone stands in it. A verification is
// the proof of one link, and ends with it: when the customer takes the consent
// back or is erased, when the phone is changed, even if the same one comes back,
// and when something is agreed to that the phone has not heard of. Each link has
// a random name, which is part of every challenge: so a code that was right for
// an earlier link, a moment ago or still on its way, is worth nothing for this
// one, whatever Redis remembers of it.

// newLink draws the name of a link.
func newLink() string { return RandomToken(12) }

// relink ends what a code has proved, or is about to, once other consents were
// recorded. The phone that has answered, in a verdict that may be still on its
// way, confirms no yes that was said after it, fresh, to the same text or to a
// new one; and where the consent to messages stood and is gone, a code that is
// on its way confirms no later one.
func (s *Service) relink(ctx context.Context, tx Tx, v *Visit, staffID int64, fresh, stood bool) error {
	switch {
	case v.ContactID == nil:
		return nil
	case v.VerifiedAt != nil && fresh:
		return s.endVerification(ctx, tx, v, staffID)
	case v.VerifiedAt == nil && (fresh || stood && !v.Communications):
		v.Link = newLink()
	}
	return nil
}

// endVerification takes the proof of the phone out of a locked visit whose
// contact stays. What only a verified phone may hold goes with it.
func (s *Service) endVerification(ctx context.Context, tx Tx, v *Visit, staffID int64) error {
	if err := tx.EndVerification(ctx, v.ID); err != nil {
		return err
	}
	v.VerifiedAt, v.Link = nil, newLink()
	if !s.Settings.PromoNeedsVerifiedPhone {
		return nil
	}
	v.PromoPassed = false
	return s.releaseHold(ctx, tx, *v, staffID)
}
