package domain

import (
	"context"
	"time"
)

// Promise is what the customer will receive after the visit, for the
// summary: a message and when, or why there is none.
type Promise struct {
	Kind MessageKind // empty: nothing will come
	At   time.Time   // when it is due
	// State is how the message stands, and Since when; it is a promise while it
	// is scheduled, and later a fact.
	State MessageState
	Since time.Time
	// Why nothing will come: "outcome", "no_consent", "not_verified", "deferred",
	// "phone_used", "programme_off", "cancelled", "barred" or "voided".
	Why string
	// Reason is why a message was cancelled, or would not leave as things stand
	// now ("barred"): one of those that messages have. It may be empty.
	Reason string
}

// promise decides what an ended visit's customer will receive.
func (s *Service) promise(ctx context.Context, q Queries, v Visit) (Promise, error) {
	kind := map[Outcome]MessageKind{Purchase: ReferralMessage, Trial: TrialMessage}[v.Outcome]
	switch {
	case v.Voided():
		return Promise{Why: "voided"}, nil
	case kind == "":
		return Promise{Why: "outcome"}, nil
	case !v.PersonalData || !v.Communications:
		return Promise{Why: "no_consent"}, nil
	case v.VerifiedAt == nil && !s.MayVerify(v), v.ContactID == nil:
		return Promise{Why: "not_verified"}, nil
	}
	programme, err := q.Programme(ctx, v.ProgrammeID)
	switch {
	case err != nil:
		return Promise{}, err
	case !programme.Discounts():
		return Promise{Why: "programme_off"}, nil
	case v.VerifiedAt == nil:
		// What else may stand against it is the phone's past, which nobody is
		// told before it has answered.
		return Promise{Why: "deferred"}, nil
	}
	if kind == TrialMessage {
		// A code that would be refused at the till is worse than none, and
		// the first purchase that it is for may be over.
		used, err := q.PhoneRedeemed(ctx, v.ProgrammeID, v.Phone, v.ID)
		if err != nil {
			return Promise{}, err
		}
		bought, err := q.Bought(ctx, v.ProgrammeID, *v.ContactID, v.ID)
		if err != nil {
			return Promise{}, err
		}
		if used || bought {
			return Promise{Why: "phone_used"}, nil
		}
	}
	store, err := q.Store(ctx, v.StoreID)
	if err != nil {
		return Promise{}, err
	}
	from := *v.EndedAt
	if v.VerifiedAt.After(from) {
		from = *v.VerifiedAt // by the customer, later
	}
	return Promise{Kind: kind, At: s.NextDayAt(store, from)}, nil
}

// Promise tells what an ended visit's customer will receive, from what was
// really scheduled and from what would be asked if it left now: a summary is
// opened again after a consent was taken back, a purchase voided, a programme
// stopped.
func (s *Service) Promise(ctx context.Context, v Visit) (Promise, error) {
	messages, err := s.DB.VisitMessages(ctx, v.ID)
	if err != nil {
		return Promise{}, err
	}
	cancelled := ""
	for _, m := range messages {
		switch {
		case m.Channel != ProgrammeChannel || m.Kind == GiftMessage:
			continue // of a gift hears its owner, who is somebody else
		case m.State == MessageCancelled || m.State == MessageSuppressed:
			cancelled = m.Reason
			continue
		case v.Voided() && m.State == MessageScheduled:
			return Promise{Why: "voided"}, nil
		case v.Voided():
			return Promise{Why: "voided", State: m.State, Since: m.ChangedAt()}, nil
		case m.State != MessageScheduled:
			return Promise{Kind: m.Kind, At: m.DueAt, State: m.State, Since: m.ChangedAt()}, nil
		}
		facts, err := s.DB.MessageFacts(ctx, m.ID)
		if err != nil {
			return Promise{}, err
		}
		// A full week may be over when the message is due.
		if reason := s.mayMessage(facts); reason != "" && reason != "week_full" {
			return Promise{Why: "barred", Reason: reason}, nil
		}
		return Promise{Kind: m.Kind, At: m.DueAt, State: m.State, Since: m.ChangedAt()}, nil
	}
	p, err := s.promise(ctx, s.DB, v)
	// What the visit itself forbids says more than that something was cancelled.
	if p.Kind != "" || cancelled != "" && p.Why != "voided" && p.Why != "no_consent" {
		p = Promise{Why: "cancelled", Reason: cancelled}
	}
	return p, err
}
