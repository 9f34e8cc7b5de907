package domain

import (
	"context"
	"time"
)

// ContactEvent is what a customer asked for by themselves.
type ContactEvent struct {
	ContactID int64
	Kind      ContactEventKind
	Source    ConsentSource // FromSMS or FromPage
	At        time.Time
}

// ContactEventKind names it.
type ContactEventKind string

// The events of a contact.
const (
	ContactStopped ContactEventKind = "stopped" // no messages any more
	ContactAsked   ContactEventKind = "asked"   // looked at what is kept about them
	ContactErased  ContactEventKind = "erased"
)

// stopMessages takes a contact's consent to communications back and cancels
// what is scheduled, in the transaction of what asked for it. It tells whether
// there was anything to stop: who says it twice is answered once.
func (s *Service) stopMessages(ctx context.Context, tx Tx, contactID int64, source ConsentSource) (bool, error) {
	// A message that is being claimed comes first; one that comes later finds
	// the consent gone.
	if _, err := tx.LockContact(ctx, contactID); err != nil {
		return false, err
	}
	now := s.now()
	// What is scheduled goes although the answer is no already: it would never
	// be sent, and shall not stand there as if it would.
	gone, err := tx.CancelContactMessages(ctx, contactID, "stopped", now)
	if err != nil {
		return false, err
	}
	// A yes of a visit in which the phone has not answered yet is taken back
	// too: it would count as soon as it does.
	last, err := tx.NewestConsent(ctx, contactID, Communications)
	if err != nil && !IsNotFound(err) {
		return false, err
	}
	if !last.Given && len(gone) == 0 {
		return false, nil
	}
	if last.Given {
		if _, err := tx.AddConsent(ctx, Consent{
			Source: source, ContactID: &contactID, DocumentID: last.DocumentID, Hash: last.Hash, At: now, Holds: true,
		}); err != nil {
			return false, err
		}
	}
	return true, tx.AddContactEvent(ctx, ContactEvent{ContactID: contactID, Kind: ContactStopped, Source: source, At: now})
}
