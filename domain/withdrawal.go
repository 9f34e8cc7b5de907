package domain

import (
	"context"
	"time"
)

// ContactEvent is what a customer asked for, not in a visit.
type ContactEvent struct {
	ContactID int64
	Kind      ContactEventKind
	Source    ConsentSource // FromSMS, FromPage or FromStaff
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
	// A no that was said in a visit may leave with it, so theirs stands beside it.
	if last.Given || last.Source == FromVisit {
		if _, err := tx.AddConsent(ctx, Consent{
			Source: source, ContactID: &contactID, DocumentID: last.DocumentID, Hash: last.Hash, At: now, Holds: true,
		}); err != nil {
			return false, err
		}
	}
	if !last.Given && len(gone) == 0 {
		return false, nil
	}
	return true, tx.AddContactEvent(ctx, ContactEvent{ContactID: contactID, Kind: ContactStopped, Source: source, At: now})
}

// Withdrawal is a consent to messages that staff took back for a customer who
// had asked them to: by telephone, in a letter, at the counter.
type Withdrawal struct {
	ID        int64
	RequestID string
	ContactID int64 // 0: nobody we know
	StaffID   int64
	Reason    string
	At        time.Time
}

// WithdrawalRecord is a withdrawal as it is read later.
type WithdrawalRecord struct {
	Withdrawal
	StaffName string
}

// WithdrawalForm is what a withdrawal asks, as typed.
type WithdrawalForm struct {
	RequestID string
	Phone     string
	Reason    string
	Sure      bool // that the holder of this number has asked for it
}

// recentWithdrawals is how many a page shows, the newest.
const recentWithdrawals = 50

// WithdrawFor takes somebody's consent to messages back at their wish, with
// everything that follows from a STOP but the answer: nobody gets an SMS because
// a number was typed. Consents are of a person and no store's, and so is this
// right. Whether the number is a customer's is told to nobody: the answer and
// the record look alike.
func (s *Service) WithdrawFor(ctx context.Context, a Actor, f WithdrawalForm) error {
	if !a.Supervises() {
		return forbidden()
	}
	if !validRequestID(f.RequestID) {
		return formStale()
	}
	faults := map[string]Text{}
	phone := s.anyPhone(f.Phone)
	if untyped(f.Phone) {
		faults["phone"] = Say("contact.phone_empty")
	} else if phone == "" {
		faults["phone"] = Say("contact.phone_malformed")
	}
	reason, fault := readReason(f.Reason)
	if fault != nil {
		faults["reason"] = *fault
	}
	if !f.Sure {
		faults["sure"] = Say("withdrawal.tick")
	}
	if len(faults) > 0 {
		return &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: faults}
	}
	return s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
		c, err := lockSender(ctx, tx, phone)
		if err != nil {
			return err
		}
		first, err := tx.AddWithdrawal(ctx, Withdrawal{RequestID: f.RequestID, ContactID: c.ID, StaffID: a.ID, Reason: reason, At: s.now()})
		if err != nil || !first || c.ID == 0 {
			return err
		}
		_, err = s.stopMessages(ctx, tx, c.ID, FromStaff)
		return err
	})
}

// RecentWithdrawals lists what was withdrawn for customers, the newest first:
// to a supervisor their own, to an administrator everybody's.
func (s *Service) RecentWithdrawals(ctx context.Context, a Actor) ([]WithdrawalRecord, error) {
	if !a.Supervises() {
		return nil, forbidden()
	}
	by := a.ID
	if a.Role == Administrator {
		by = 0
	}
	return s.DB.RecentWithdrawals(ctx, by, recentWithdrawals)
}
