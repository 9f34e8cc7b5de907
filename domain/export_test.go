package domain

import "context"

// HashingAtATime is how many passwords are hashed at a time.
func HashingAtATime() int64 { return int64(hashing.size) }

// WithCheckDigit makes a well-formed promo code of nine digits.
func WithCheckDigit(nine string) string { return nine + string(damm(nine)) }

// NewPromoDigits draws a code for tests.
var NewPromoDigits = newPromoDigits

// StillAsked tells whether a visit may still send the code it was asked for.
var StillAsked = stillAsked

// EraseCustomer erases a contact without the page that asks for it.
func (s *Service) EraseCustomer(ctx context.Context, contactID int64, source ConsentSource) error {
	return s.eraseCustomer(ctx, contactID, source)
}

// StopCustomer stops the messages to a contact.
func (s *Service) StopCustomer(ctx context.Context, contactID int64) (stopped bool, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		stopped, err = s.stopMessages(ctx, tx, contactID, FromSMS)
		return err
	})
	return stopped, err
}

// CountedAddress is what limits count an address by.
var CountedAddress = countedAddress

// Shares are the places that are shared out.
type Shares struct{ *shares }

// NewShares makes some.
func NewShares(size int) *Shares { return &Shares{newShares(size)} }

// Enter waits for a place.
func (s *Shares) Enter(ctx context.Context, who string, first bool) error {
	return s.enter(ctx, who, first)
}

// Leave gives it back.
func (s *Shares) Leave(who string) { s.leave(who) }

// Known is how many are remembered.
func (s *Shares) Known() int { return len(s.held) + len(s.turn) + len(s.waiting) }
