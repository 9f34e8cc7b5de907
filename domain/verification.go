package domain

import (
	"context"
	"errors"
	"strings"
	"time"
)

// CodeAttempt is one send or check on record: never the code.
type CodeAttempt struct {
	VisitID     int64
	StoreID     int64
	StaffID     int64
	ChallengeID string // empty where none was live
	Kind        AttemptKind
	Verdict     string // an OpenVerdict, a CheckVerdict, or "failed" for a gateway that refused
	AfterSend   time.Duration
	At          time.Time
}

// AttemptKind tells a sending from a check.
type AttemptKind string

// The kinds of CodeAttempt.
const (
	AttemptSend  AttemptKind = "send"
	AttemptCheck AttemptKind = "check"
)

// Verification is the proof that a phone answered.
type Verification struct {
	ChallengeID string // unique: Redis replication may lose a success, SQL does not count it twice
	VisitID     int64
	ContactID   int64
	StoreID     int64
	StaffID     int64
	At          time.Time
}

// mayChallenge gives the visit when its phone can be challenged.
func (s *Service) mayChallenge(ctx context.Context, a Actor, visitID int64) (Visit, error) {
	v, err := s.OpenVisit(ctx, a, visitID)
	if err != nil {
		return v, err
	}
	switch {
	case v.Ended():
		return v, visitEnded()
	case v.ContactID == nil:
		return v, stepTooEarly()
	case !v.Communications:
		return v, &Error{Kind: Conflict, Message: Say("code.no_consent")}
	}
	return v, nil
}

// SendCode sends the customer a code, or the same one again. What it may not
// do is told as an *Error: Limited with RetryAfter while the pause runs or
// the day's guesses are spent, Unavailable when Redis or every gateway is
// out.
func (s *Service) SendCode(ctx context.Context, a Actor, visitID int64, requestID string) (Visit, error) {
	v, err := s.mayChallenge(ctx, a, visitID)
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	if !validRequestID(requestID) {
		return v, formStale()
	}
	if s.SMS == nil {
		return v, &Error{Kind: Unavailable, Message: Say("code.no_gateway")}
	}
	store, err := s.DB.Store(ctx, v.StoreID)
	if err != nil {
		return v, err
	}
	programme, err := s.DB.Programme(ctx, v.ProgrammeID)
	if err != nil {
		return v, err
	}
	id := RandomToken(16)
	res, err := s.Challenges.Open(ctx, OpenRequest{
		PhoneKey: s.PhoneKey(v.Phone), VisitID: v.ID, RequestID: requestID,
		ID: id, Digest: s.digest(v, s.code(id)), Now: s.now(),
		Lifetime: s.Settings.CodeLifetime, ResendAfter: s.Settings.CodeResendAfter,
		Tries: s.Settings.CodeTries, TriesPerDay: s.Settings.CodeTriesPerDay,
	})
	if err != nil {
		return v, err
	}
	switch res.Verdict {
	case OpenRepeated:
		return v, nil
	case OpenDone:
		// The phone has answered, but the visit does not say so: the record
		// was lost on its way, or the phone was changed and changed back.
		return s.recordVerified(context.WithoutCancel(ctx), a, v, CodeAttempt{ChallengeID: res.ID}, true)
	case OpenWait:
		return v, &Error{Kind: Limited, Message: Say("code.wait", "Count", seconds(res.Wait)), RetryAfter: res.Wait}
	case OpenLocked:
		return v, &Error{Kind: Limited, Message: Say("code.day_locked", "Count", hours(res.Wait)), RetryAfter: res.Wait}
	}
	// From here the SMS is paid for; the browser hanging up must not leave it
	// without a record.
	ctx = context.WithoutCancel(ctx)
	sendErr := s.sendCodeText(ctx, v, store, programme, res.ID)
	verdict := string(res.Verdict)
	if sendErr != nil {
		verdict = "failed"
		var se *SMSError
		if errors.As(sendErr, &se) && se.Ambiguous {
			verdict = "unclear"
		}
	}
	err = s.recordAttempt(ctx, a, v, CodeAttempt{ChallengeID: res.ID, Kind: AttemptSend, Verdict: verdict})
	if verdict == "failed" {
		return v, &Error{Kind: Unavailable, Message: Say("code.gateway_failed"), Err: errors.Join(sendErr, err)}
	}
	return v, err
}

func (s *Service) sendCodeText(ctx context.Context, v Visit, store Store, p Programme, challengeID string) error {
	ctx, cancel := context.WithTimeout(ctx, smsDeadline)
	defer cancel()
	text := renderTemplate(CodeMessage, v.Language, map[string]string{
		"code": s.code(challengeID), "brand": p.Brand, "store": store.Name,
	})
	return s.SMS.Send(ctx, SMSText{To: v.Phone, Text: text, Code: true})
}

func (s *Service) recordAttempt(ctx context.Context, a Actor, v Visit, at CodeAttempt) error {
	at.VisitID, at.StoreID, at.StaffID, at.At = v.ID, v.StoreID, a.ID, s.now()
	_, err := s.change(ctx, a, v.ID, func(ctx context.Context, tx Tx, _ *Visit) error {
		return tx.AddCodeAttempt(ctx, at)
	})
	return err
}

// CheckCode judges the code that the customer read out. An empty or malformed
// field is answered without a check, and nothing is counted.
func (s *Service) CheckCode(ctx context.Context, a Actor, visitID int64, requestID, typed string) (Visit, error) {
	v, err := s.mayChallenge(ctx, a, visitID)
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	if !validRequestID(requestID) {
		return v, formStale()
	}
	if strings.TrimSpace(typed) == "" {
		return v, invalid("code", "code.empty", "Count", s.Settings.CodeLength)
	}
	code, ok := s.readCode(typed)
	if !ok {
		return v, invalid("code", "code.malformed", "Count", s.Settings.CodeLength)
	}
	res, err := s.Challenges.Check(ctx, CheckRequest{
		PhoneKey: s.PhoneKey(v.Phone), VisitID: v.ID, RequestID: requestID,
		Digest: s.digest(v, code), Now: s.now(),
		Tries: s.Settings.CodeTries, TriesPerDay: s.Settings.CodeTriesPerDay,
	})
	if err != nil {
		return v, err
	}
	// The guess is counted; its record must not depend on the browser.
	ctx = context.WithoutCancel(ctx)
	attempt := CodeAttempt{ChallengeID: res.ID, Kind: AttemptCheck, Verdict: string(res.Verdict)}
	if !res.SentAt.IsZero() {
		attempt.AfterSend = s.now().Sub(res.SentAt)
	}
	if res.Verdict == CheckUsed {
		// The same phone, visit and advisor have succeeded before.
		return s.recordVerified(ctx, a, v, attempt, true)
	}
	if res.Verdict != CheckRight {
		if !res.Repeated {
			if err := s.recordAttempt(ctx, a, v, attempt); err != nil {
				return v, err
			}
		}
		return v, codeRefused(res)
	}
	return s.recordVerified(ctx, a, v, attempt, res.Repeated)
}

// codeRefused puts a verdict into words. A wrong code and one that another
// request used up sound alike to a guesser; the advisor is told what helps.
func codeRefused(res CheckResult) error {
	switch res.Verdict {
	case CheckWrong:
		if res.Left > 0 {
			return invalid("code", "code.wrong", "Count", res.Left)
		}
		return invalid("code", "code.locked")
	case CheckLocked:
		return invalid("code", "code.locked")
	case CheckDay:
		return &Error{Kind: Limited, Message: Say("code.day_locked", "Count", hours(res.Wait)), RetryAfter: res.Wait}
	default:
		return invalid("code", "code.expired")
	}
}

// recordVerified stores the success with time, challenge and advisor.
func (s *Service) recordVerified(ctx context.Context, a Actor, checked Visit, at CodeAttempt, repeated bool) (Visit, error) {
	return s.change(ctx, a, checked.ID, func(ctx context.Context, tx Tx, v *Visit) error {
		if v.ContactID == nil || v.Phone != checked.Phone {
			// The phone was changed in another tab while this code was typed.
			return &Error{Kind: Conflict, Message: Say("code.phone_changed")}
		}
		at.VisitID, at.StoreID, at.StaffID, at.At = v.ID, v.StoreID, a.ID, v.TouchedAt
		if !repeated {
			if err := tx.AddCodeAttempt(ctx, at); err != nil {
				return err
			}
		}
		if v.VerifiedAt != nil {
			return nil
		}
		first, err := tx.AddVerification(ctx, Verification{
			ChallengeID: at.ChallengeID, VisitID: v.ID, ContactID: *v.ContactID, StoreID: v.StoreID, StaffID: a.ID, At: v.TouchedAt,
		})
		if err != nil {
			return err
		}
		v.VerifiedAt, v.CodeSkipped = &v.TouchedAt, false
		if !first {
			return nil
		}
		if err := tx.ConfirmConsents(ctx, v.ID, at.ChallengeID); err != nil {
			return err
		}
		c, err := tx.Contact(ctx, *v.ContactID)
		if err != nil {
			return err
		}
		// Only the person who holds the phone may rename its contact.
		c.Name, c.Language = v.CustomerName, v.Language
		if c.VerifiedAt == nil {
			c.VerifiedAt = v.VerifiedAt
		}
		if err := tx.SaveContact(ctx, c); err != nil {
			return err
		}
		return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: v.TouchedAt, Kind: EventVerified})
	})
}

// SkipCode goes on without a verified phone.
func (s *Service) SkipCode(ctx context.Context, a Actor, visitID int64) (Visit, error) {
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if v.ContactID == nil {
			return stepTooEarly()
		}
		if v.VerifiedAt != nil || v.CodeSkipped {
			return nil
		}
		v.CodeSkipped = true
		return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: v.TouchedAt, Kind: EventCodeSkipped})
	})
}
