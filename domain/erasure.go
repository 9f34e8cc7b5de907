package domain

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
)

// erasedPrefix begins the made-up phone of a contact that was erased. No
// number of E.164 begins with 0, so it is nobody's.
const erasedPrefix = "+0"

// ErasedPhone tells a made-up phone from a real one.
func ErasedPhone(phone string) bool { return strings.HasPrefix(phone, erasedPrefix) }

// madeUpPhone is drawn and not derived: nothing leads back from it.
func madeUpPhone() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1e13))
	if err != nil {
		return "", err
	}
	digits := n.String()
	return erasedPrefix + strings.Repeat("0", 13-len(digits)) + digits, nil
}

// errTakenUp says that a visit took the contact up while it was being locked.
var errTakenUp = &Error{Kind: Unavailable, Message: Say("error.unavailable"), Err: errors.New("a visit took the contact up while it was being erased")}

// eraseCustomer takes everything out of the database that tells who a contact
// is, at once and for good. Visits, sales and uses stay as figures of nobody;
// so do the consents, as the proof that they were given and taken back. Their
// promo codes are void, since nobody could be told of what they earn. Somebody
// who comes again is a new contact.
//
// What staff wrote in their own words about this person's purchases, codes and
// limits goes too: nobody can tell whether a name stands in it.
//
// The keyed hash of the phone stays in the records of code attempts until the
// limits have no more use for it (ForgetPhoneKeys): otherwise erasing oneself
// would be the way to guess on.
func (s *Service) eraseCustomer(ctx context.Context, contactID int64, source ConsentSource) error {
	made, err := madeUpPhone()
	if err != nil {
		return err
	}
	// Each round needs another advisor who types this very phone meanwhile.
	for range 5 {
		// A browser that hangs up does not leave it half done.
		err = s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
			return s.eraseLocked(ctx, tx, contactID, made, source)
		})
		if !errors.Is(err, errTakenUp) {
			return err
		}
	}
	return err
}

// eraseLocked is one try of an erasure. Visits are locked before people, people
// before codes, and codes before their uses, as everywhere.
func (s *Service) eraseLocked(ctx context.Context, tx Tx, contactID int64, made string, source ConsentSource) error {
	c, visits, err := lockCustomer(ctx, tx, contactID)
	if err != nil || c.ErasedAt != nil {
		return err
	}
	codes, err := lockCustomerCodes(ctx, tx, contactID, visits)
	if err != nil {
		return err
	}
	for _, v := range visits {
		if v.Ended() {
			continue
		}
		// Whoever stands there goes on as somebody unknown, and is asked again
		// for what they have just taken back.
		v.PersonalData, v.Communications, v.ConsentsAt = false, false, nil
		if err := s.letGo(ctx, tx, &v, 0); err != nil {
			return err
		}
	}
	now := s.now()
	for _, p := range codes {
		if err := s.voidErased(ctx, tx, p); err != nil {
			return err
		}
	}
	for _, kind := range ConsentKinds() {
		last, err := tx.NewestConsent(ctx, contactID, kind)
		if IsNotFound(err) || err == nil && !last.Given {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := tx.AddConsent(ctx, Consent{
			Source: source, ContactID: &contactID, DocumentID: last.DocumentID, Hash: last.Hash, At: now, Holds: true,
		}); err != nil {
			return err
		}
	}
	if _, err := tx.CancelContactMessages(ctx, contactID, "erased", now); err != nil {
		return err
	}
	if err := tx.EraseContact(ctx, c, s.PhoneKey(c.Phone), made, now); err != nil {
		return err
	}
	return tx.AddContactEvent(ctx, ContactEvent{ContactID: contactID, Kind: ContactErased, Source: source, At: now})
}

// lockCustomer locks a contact and every visit of theirs, visits first: that is
// the order of everybody who works on a visit. A visit that took the contact
// up in between is errTakenUp: it can't be locked any more in that order.
func lockCustomer(ctx context.Context, tx Tx, contactID int64) (Contact, []Visit, error) {
	before, err := tx.ContactVisits(ctx, contactID)
	if err != nil {
		return Contact{}, nil, err
	}
	var visits []Visit
	for _, id := range before {
		v, err := tx.LockVisit(ctx, id)
		if err != nil {
			return Contact{}, nil, err
		}
		// Or it has let go of the contact while we waited.
		if v.ContactID != nil && *v.ContactID == contactID {
			visits = append(visits, v)
		}
	}
	c, err := tx.LockContact(ctx, contactID)
	if err != nil {
		return c, nil, err
	}
	after, err := tx.ContactVisits(ctx, contactID)
	if err != nil {
		return c, nil, err
	}
	for _, id := range after {
		if !slices.Contains(before, id) {
			return c, nil, errTakenUp
		}
	}
	return c, visits, nil
}

// lockCustomerCodes locks the codes of a contact together with those whose use
// an open visit of theirs holds, and gives the former.
func lockCustomerCodes(ctx context.Context, tx Tx, contactID int64, visits []Visit) ([]PromoCode, error) {
	codes, err := tx.ContactCodes(ctx, contactID)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, p := range codes {
		ids = append(ids, p.ID)
	}
	for _, v := range visits {
		if v.Ended() {
			continue
		}
		r, err := tx.LiveRedemption(ctx, v.ID)
		if err == nil {
			ids = append(ids, r.PromoCodeID)
		} else if !IsNotFound(err) {
			return nil, err
		}
	}
	return codes, tx.LockPromoCodes(ctx, ids...)
}

// voidErased ends a locked code of somebody who is erased, and takes its gift
// back unless it was collected. A use that a friend holds at this moment was
// promised to that friend, and stays good until their visit ends.
func (s *Service) voidErased(ctx context.Context, tx Tx, p PromoCode) error {
	if p.State == PromoVoid {
		return nil
	}
	if err := tx.SetPromoState(ctx, p.ID, PromoVoid); err != nil {
		return err
	}
	// No number of friends is enough.
	if _, err := tx.RevokeGift(ctx, p.ID, math.MaxInt32, s.now()); err != nil {
		return err
	}
	return tx.AddPromoEvent(ctx, PromoEvent{PromoCodeID: p.ID, At: s.now(), Kind: PromoOwnerErased})
}
