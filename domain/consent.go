package domain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ConsentKind is which of the two separate documents a consent is about.
type ConsentKind string

// The two documents. They are never merged: a personal-data consent must
// stand alone (152-ФЗ art. 9), and consent to advertising is its own
// (38-ФЗ art. 18).
const (
	PersonalData   ConsentKind = "personal_data"
	Communications ConsentKind = "communications"
)

// ConsentKinds lists the documents in the order in which they are read.
func ConsentKinds() []ConsentKind { return []ConsentKind{PersonalData, Communications} }

// ConsentDocument is one version of a text that is read aloud.
type ConsentDocument struct {
	ID          int64
	ProgrammeID int64
	Kind        ConsentKind
	Language    string
	Version     int
	Title       string
	Body        string
	Hash        string // hex SHA-256 of title, a line feed and body
	PublishedAt time.Time
}

// HashConsent computes the hash that is kept as proof of which text was read.
func HashConsent(title, body string) string {
	sum := sha256.Sum256([]byte(title + "\n" + body))
	return hex.EncodeToString(sum[:])
}

// ConsentSource is where an answer was given.
type ConsentSource string

// The sources. A yes is given to an advisor only. Whatever is said in a visit,
// yes or no, counts for the person once their phone has answered there: anybody
// can name somebody else's number.
const (
	FromVisit ConsentSource = "visit"
	FromSMS   ConsentSource = "sms"   // the customer wrote STOP
	FromPage  ConsentSource = "page"  // on their own page
	FromStaff ConsentSource = "staff" // the customer asked somebody who may take it back for them
)

// Consent is the proof of one answer: which text, who, where, when, and
// whether an SMS code confirmed it. Rows are only ever added.
type Consent struct {
	ID          int64
	Source      ConsentSource
	VisitID     int64  // 0, as store and staff, where no visit was the source
	ContactID   *int64 // nil while the visit is anonymous
	StoreID     int64
	StaffID     int64
	DocumentID  int64
	Document    ConsentDocument // filled when read
	Hash        string          // of the document at that moment
	Given       bool
	At          time.Time
	ChallengeID *string // of the SMS code that confirmed it
	Holds       bool    // a no that counts for the contact whatever becomes of its visit; not read back
}

// ConsentAnswer is one box of the consents form.
type ConsentAnswer struct {
	DocumentID int64 // the version that stood on the screen
	Given      bool
}

// ConsentDocuments gives the two texts to read in this visit.
func (s *Service) ConsentDocuments(ctx context.Context, v Visit) ([]ConsentDocument, error) {
	return consentDocuments(ctx, s.DB, v)
}

// consentDocuments falls back to Russian where a text is not translated:
// without a text there is nothing to agree to.
func consentDocuments(ctx context.Context, q Queries, v Visit) ([]ConsentDocument, error) {
	docs, err := q.CurrentConsentDocuments(ctx, v.ProgrammeID, v.Language)
	if err != nil || len(docs) == len(ConsentKinds()) {
		return docs, err
	}
	return q.CurrentConsentDocuments(ctx, v.ProgrammeID, "ru")
}

// RecordConsents saves the consents step. Taking the personal-data consent
// back removes phone, name and answers from the visit at once.
func (s *Service) RecordConsents(ctx context.Context, a Actor, visitID int64, answers []ConsentAnswer) (Visit, error) {
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if !v.Age.Passed() {
			return stepTooEarly()
		}
		docs, err := consentDocuments(ctx, tx, *v)
		if err != nil {
			return err
		}
		standing, err := standingConsents(ctx, tx, v.ID)
		if err != nil {
			return err
		}
		given := map[int64]bool{}
		for _, an := range answers {
			given[an.DocumentID] = an.Given
		}
		stood, fresh := v.Communications, false
		v.PersonalData, v.Communications = false, false
		for _, d := range docs {
			yes, shown := given[d.ID]
			if !shown {
				// A new version was published while the old one stood on the
				// screen: what was read is not what would be recorded.
				return &Error{Kind: Invalid, Message: Say("consents.text_changed")}
			}
			switch d.Kind {
			case PersonalData:
				v.PersonalData = yes
			case Communications:
				v.Communications = yes
			}
			if before, asked := standing[d.ID]; asked && before == yes && v.ConsentsAt != nil {
				// The answer stands, with its time and the code that confirmed it.
				// Where it has to be asked for anew (eraseCustomer) it does not.
				continue
			}
			fresh = fresh || yes
			_, err := tx.AddConsent(ctx, Consent{
				Source: FromVisit, VisitID: v.ID, ContactID: v.ContactID, StoreID: v.StoreID, StaffID: a.ID,
				DocumentID: d.ID, Hash: d.Hash, Given: yes, At: v.TouchedAt, Holds: !yes && v.VerifiedAt != nil,
			})
			if err != nil {
				return err
			}
		}
		v.ConsentsAt = &v.TouchedAt
		if err := tx.AddVisitEvent(ctx, VisitEvent{
			VisitID: v.ID, StaffID: a.ID, At: v.TouchedAt, Kind: EventConsents, Detail: consentDetail(*v),
		}); err != nil {
			return err
		}
		if !v.PersonalData {
			return s.withdraw(ctx, tx, v, a.ID)
		}
		if err := s.relink(ctx, tx, v, a.ID, fresh, stood); err != nil {
			return err
		}
		if !v.Communications && s.Settings.PromoNeedsVerifiedPhone && v.VerifiedAt == nil {
			return s.releaseHold(ctx, tx, *v, a.ID)
		}
		return nil
	})
}

// standingConsents gives the newest answer of a visit to each document.
func standingConsents(ctx context.Context, q Queries, visitID int64) (map[int64]bool, error) {
	rows, err := q.VisitConsents(ctx, visitID)
	out := map[int64]bool{}
	for _, c := range rows { // oldest first
		out[c.DocumentID] = c.Given
	}
	return out, err
}

// withdraw erases the contact from a visit whose customer took the consent
// back. Somebody who is known from other visits stays known. Where their phone
// has answered, their no stays on their record: it holds for what those visits
// have scheduled, and takes the name away too. Until then anybody may stand
// there, and the no is this visit's alone.
func (s *Service) withdraw(ctx context.Context, tx Tx, v *Visit, staffID int64) error {
	if v.ContactID == nil {
		return nil
	}
	id, verified := *v.ContactID, v.VerifiedAt != nil
	gone, err := s.eraseContact(ctx, tx, v, staffID)
	if err != nil || gone || !verified {
		return err
	}
	c, err := tx.LockContact(ctx, id)
	if err != nil {
		return err
	}
	c.Name = ""
	return tx.SaveContact(ctx, c)
}

func consentDetail(v Visit) string {
	switch {
	case v.PersonalData && v.Communications:
		return "both"
	case v.PersonalData:
		return "personal_data"
	case v.Communications:
		return "communications"
	}
	return "none"
}

func stepTooEarly() *Error { return &Error{Kind: Conflict, Message: Say("error.step_too_early")} }
