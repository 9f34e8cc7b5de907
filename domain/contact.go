package domain

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"
)

// Contact is a customer: one person per phone, enforced by the database.
type Contact struct {
	ID         int64
	Phone      string // E.164
	Name       string // as the person who verified the phone gave it; empty before
	Language   string
	VerifiedAt *time.Time // first time the phone was verified by an SMS code
	PageToken  string     // of their own page; empty until a message carries it
	ErasedAt   *time.Time // when they had themselves erased; the phone is a made-up one since
	CreatedAt  time.Time
}

// ContactForm is what the contact step asks.
type ContactForm struct {
	Phone   string
	Name    string
	Answers map[int64]string // question → what was chosen or typed
}

// limits of free text, in characters
const (
	maxName   = 80
	maxAnswer = 500
)

// RecordContact saves the contact step. A known phone is attached to the
// visit without a sign of it: the advisor learns nothing of that person's
// past, not even that there is one.
func (s *Service) RecordContact(ctx context.Context, a Actor, visitID int64, f ContactForm) (Visit, error) {
	name := foldName(f.Name)
	phone, faults := s.parsePhone(f.Phone), map[string]Text{}
	if phone.fault != nil {
		faults["phone"] = *phone.fault
	}
	switch {
	case name == "":
		faults["name"] = Say("contact.name_empty")
	case utf8.RuneCountInString(name) > maxName:
		faults["name"] = Say("contact.name_long", "Max", maxName)
	}
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if v.ConsentsAt == nil {
			return stepTooEarly()
		}
		if !v.PersonalData {
			return &Error{Kind: Conflict, Message: Say("contact.no_consent")}
		}
		questions, err := tx.Questions(ctx, v.ProgrammeID)
		if err != nil {
			return err
		}
		answers := checkAnswers(questions, f.Answers, faults)
		if len(faults) > 0 {
			return &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: faults}
		}
		if v.Phone != phone.e164 {
			// What was proved or reserved belonged to the other phone.
			id, _, err := tx.ContactForPhone(ctx, Contact{Phone: phone.e164, Language: v.Language, CreatedAt: v.TouchedAt})
			if err != nil {
				return err
			}
			if _, err := s.eraseContact(ctx, tx, v, a.ID); err != nil {
				return err
			}
			v.ContactID, v.Phone, v.Link = &id, phone.e164, newLink()
			if err := tx.LinkConsents(ctx, v.ID, id); err != nil {
				return err
			}
		}
		v.CustomerName = name
		if err := tx.SetAnswers(ctx, v.ID, answers); err != nil {
			return err
		}
		return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: v.TouchedAt, Kind: EventContact})
	})
}

// checkAnswers keeps the answers that the questionnaire allows and adds a
// fault for each that it does not. Every question is optional.
func checkAnswers(questions []Question, typed map[int64]string, faults map[string]Text) []Answer {
	var out []Answer
	for _, q := range questions {
		value := foldLine(typed[q.ID])
		if value == "" {
			continue
		}
		known := len(q.Options) == 0
		if !known {
			// A choice is our own word; it comes back as we wrote it.
			value = typed[q.ID]
			known = slices.ContainsFunc(q.Options, func(o Option) bool { return o.Value == value })
		}
		switch {
		case !known:
			faults[QuestionField(q.ID)] = Say("contact.answer_unknown")
		case utf8.RuneCountInString(value) > maxAnswer:
			faults[QuestionField(q.ID)] = Say("contact.answer_long", "Max", maxAnswer)
		default:
			out = append(out, Answer{QuestionID: q.ID, Value: value})
		}
	}
	return out
}

// eraseContact lets a visit go of its contact. One that nothing else refers to
// is deleted; gone tells that it was, or that there was none. Otherwise what
// their phone has refused in this visit stays theirs, and goes on with nobody
// whose number is typed next.
func (s *Service) eraseContact(ctx context.Context, tx Tx, v *Visit, staffID int64) (gone bool, err error) {
	if v.ContactID == nil {
		return true, nil
	}
	id := *v.ContactID
	refused, err := tx.StandingRefusals(ctx, v.ID)
	if err != nil {
		return false, err
	}
	if err := s.letGo(ctx, tx, v, staffID); err != nil {
		return false, err
	}
	if gone, err = tx.DropContactIfUnused(ctx, id); err != nil || gone || len(refused) == 0 {
		return gone, err
	}
	return false, tx.LinkWithdrawal(ctx, id, refused)
}

// letGo takes phone, name and answers out of a visit, with what hung on them:
// the verification and the held promo code.
func (s *Service) letGo(ctx context.Context, tx Tx, v *Visit, staffID int64) error {
	if err := s.releaseHold(ctx, tx, *v, staffID); err != nil {
		return err
	}
	v.ContactID, v.Phone, v.CustomerName, v.VerifiedAt, v.Link = nil, "", "", nil, ""
	v.CodeSkipped, v.PromoPassed = false, false
	// The page that was opened by the QR belongs to the holder of that phone.
	v.CodeDeferred, v.SelfToken = false, ""
	if err := tx.SetAnswers(ctx, v.ID, nil); err != nil {
		return err
	}
	if err := tx.UnlinkContact(ctx, v.ID); err != nil {
		return err
	}
	// The visit must let go of the contact before it can be deleted.
	if err := tx.SaveVisit(ctx, *v); err != nil {
		return err
	}
	return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: staffID, At: s.now(), Kind: EventContactErased})
}
