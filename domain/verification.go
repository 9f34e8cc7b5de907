package domain

import (
	"context"
	"fmt"
	"strconv"
	"time"
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
// do is told as an *Error: Limited with RetryAfter while the pause runs or a
// budget is used up, Unavailable when Redis or every gateway is out.
func (s *Service) SendCode(ctx context.Context, a Actor, visitID int64, requestID string) (Visit, error) {
	v, err := s.mayChallenge(ctx, a, visitID)
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	return s.sendCode(ctx, s.codeTry(a, v, EntryAdvisor), requestID)
}

// codeTry is one person at one visit who sends or types a code.
type codeTry struct {
	Actor
	visit      Visit
	entry      CodeEntry
	phoneKey   string
	addressKey string
	attempt    CodeAttempt // as it is on record
}

func (s *Service) codeTry(a Actor, v Visit, entry CodeEntry) codeTry {
	return codeTry{Actor: a, visit: v, entry: entry, phoneKey: s.PhoneKey(v.Phone), addressKey: s.addressKey(a.Address)}
}

func (s *Service) sendCode(ctx context.Context, t codeTry, requestID string) (Visit, error) {
	v := t.visit
	if !validRequestID(requestID) {
		return v, formStale()
	}
	if len(s.Gateways) == 0 {
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
	// From here a budget may be spent and an SMS paid for; the browser hanging
	// up must not leave it without a record.
	ctx = context.WithoutCancel(ctx)
	if v, err := s.askNext(ctx, &t, AttemptSend, requestKey(AttemptSend, requestID, "")); err != nil || v.VerifiedAt != nil {
		return v, err
	}
	if at := t.attempt; at.Verdict != VerdictAsked && at.Verdict != VerdictUnsent {
		return v, nil // the same form once more
	}
	res, err := s.open(ctx, t)
	if err != nil {
		return v, err
	}
	at := &t.attempt
	at.Verdict, at.ChallengeID, at.LimitMet = string(res.Verdict), res.ID, res.Limit.Name
	switch res.Verdict {
	case OpenDone:
		if err := s.finish(ctx, *at); err != nil {
			return v, err
		}
		return s.unproved(ctx, t, requestID)
	case OpenWait:
		err = &Error{Kind: Limited, Message: Say("code.wait", "Count", seconds(res.Wait)), RetryAfter: res.Wait}
		return v, orFailure(err, s.finish(ctx, *at))
	case OpenLimited:
		return v, orFailure(limited(res.Limit), s.finish(ctx, *at))
	}
	if at.ChallengeID == "" {
		// It was counted, and its challenge is over by now.
		at.Verdict = VerdictUnsent
		return v, orFailure(formStale(), s.finish(ctx, *at))
	}
	m, claimed, err := s.sendCodeText(ctx, &t, store, programme)
	if err != nil {
		// Nothing was sent, but Redis has counted it, and the rows must agree.
		at.Verdict = VerdictFailed
		return t.visit, orFailure(err, s.finish(ctx, *at))
	}
	if !claimed {
		return v, nil // the same form, at the same moment
	}
	switch m.State {
	case MessageUndelivered:
		at.Verdict = VerdictFailed
	case MessageUnknown:
		at.Verdict = VerdictUnclear
	}
	err = s.recordSend(ctx, &t, m)
	v = t.visit
	if at.Verdict == VerdictFailed {
		return v, &Error{Kind: Unavailable, Message: Say("code.gateway_failed"), Err: err}
	}
	return v, err
}

// askNext writes what Redis has judged in this visit and nobody has heard, and
// then asks. Where that has verified the visit, nothing is asked any more.
func (s *Service) askNext(ctx context.Context, t *codeTry, kind AttemptKind, key string) (Visit, error) {
	v, err := s.settleVisit(ctx, t.visit)
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	return v, s.ask(ctx, t, kind, key)
}

// unproved goes on where Redis says that the phone has answered and the visit
// does not. Either the record of that is on its way, or it was lost for good:
// then the phone has to answer a new challenge, which a new link begins.
func (s *Service) unproved(ctx context.Context, t codeTry, requestID string) (Visit, error) {
	v, err := s.settleVisit(ctx, t.visit)
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if v, err = tx.LockVisit(ctx, v.ID); err != nil || v.VerifiedAt != nil {
			return err
		}
		if err := stillAsked(v, t.visit); err != nil {
			return err
		}
		v.Link = newLink()
		return tx.SaveVisit(ctx, v)
	})
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	t.visit = v
	return s.sendCode(ctx, t, requestID) // under another name, so it does not come back here
}

// answeredBefore repeats the answer to a form that was judged before.
func (s *Service) answeredBefore(ctx context.Context, t codeTry) (Visit, error) {
	v, err := s.DB.Visit(ctx, t.visit.ID)
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	res := CheckResult{Verdict: CheckVerdict(t.attempt.Verdict)}
	if res.Verdict == CheckWrong {
		state, err := s.codeState(ctx, t)
		if err != nil {
			return v, err
		}
		res.Left, res.Limit = state.Left, state.Barred
	}
	return v, codeRefused(res)
}

// open asks Redis for an SMS.
func (s *Service) open(ctx context.Context, t codeTry) (res OpenResult, err error) {
	v, id := t.visit, RandomToken(16)
	err = s.judged(ctx, func() (err error) {
		res, err = s.Challenges.Open(ctx, OpenRequest{
			PhoneKey: t.phoneKey, VisitID: v.ID, Link: v.Link, Event: event(t.attempt.ID),
			ID: id, Digest: s.digest(v, s.code(id)), Now: s.now(),
			Lifetime: s.Settings.CodeLifetime, ResendAfter: s.Settings.CodeResendAfter, Tries: s.Settings.CodeTries,
			Sends: s.attemptBudgets(t.attempt), Wrongs: s.wrongBudgets(t.phoneKey, t.addressKey, v, t.entry),
		})
		return err
	})
	return res, err
}

// orFailure gives what a person is told, unless even its record failed.
func orFailure(told, failure error) error {
	if failure != nil {
		return failure
	}
	return told
}

// sendCodeText puts the message on record without its text, sends it, and
// gives it back as the gateways answered. The row comes first: the report of
// a quick gateway must find it, and what was sent before a crash must show.
// The text asks to read the code to the advisor only where an advisor may type
// it. Of the same form twice only one claims the attempt.
func (s *Service) sendCodeText(ctx context.Context, t *codeTry, store Store, p Programme) (m Message, claimed bool, err error) {
	kind, now, challengeID := CodeMessage, s.now(), t.attempt.ChallengeID
	if store.SelfEntry || t.entry == EntrySelf {
		kind = SelfCodeMessage
	}
	values := map[string]string{"code": s.code(challengeID), "brand": p.Brand, "store": store.Name}
	m = Message{
		Channel: CodeChannel, Kind: kind, ProgrammeID: t.visit.ProgrammeID, ContactID: *t.visit.ContactID, Phone: t.visit.Phone,
		VisitID: t.visit.ID, StoreID: t.visit.StoreID, ChallengeID: challengeID, Language: t.visit.Language,
		State: MessageSending, DueAt: now, SendingAt: &now, CreatedAt: now,
	}
	var text string
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		v, err := tx.LockVisit(ctx, t.visit.ID)
		if err != nil {
			return err
		}
		if err := stillAsked(v, t.visit); err != nil {
			return err
		}
		t.attempt.Verdict = string(OpenSend)
		if claimed, err = tx.ClaimSend(ctx, t.attempt); err != nil || !claimed {
			return err
		}
		template, err := newestTemplate(ctx, tx, m)
		if err != nil {
			return err
		}
		text = s.codeText(template.Body, values)
		m.TemplateVersion, m.Parts = template.Version, CountSMS(text).Parts
		m.ID, err = tx.AddMessage(ctx, m)
		return err
	})
	if err != nil || !claimed {
		return m, false, err
	}
	h := s.handCode(ctx, SMSText{MessageID: m.ID, To: m.Phone, Text: text, Code: true, Validity: s.Settings.CodeLifetime})
	outcome(&m, h, s.now())
	return m, true, nil
}

// stillAsked tells whether a visit, as it is now, may still send the code that
// it was asked for, or be verified by the one that was typed. Since then it may
// have been changed in another tab, or its customer erased: their page is gone
// then, though a visit that has ended keeps the contact.
func stillAsked(v, asked Visit) error {
	switch {
	case v.ContactID == nil, *v.ContactID != *asked.ContactID, v.Phone != asked.Phone, asked.SelfToken != "" && v.SelfToken != asked.SelfToken:
		return &Error{Kind: Conflict, Message: Say("code.phone_changed")}
	case !v.Communications: // which ends the link, too
		return &Error{Kind: Conflict, Message: Say("code.no_consent")}
	case v.Link != asked.Link:
		// The same phone stands there again, and needs another code.
		return &Error{Kind: Conflict, Message: Say("code.expired")}
	}
	return nil
}

// codeLateAfter is when a code that has not been delivered is called late, and
// another SMS is offered.
const codeLateAfter = 20 * time.Second

// CodeDelivery is what is known of the newest SMS of a code.
type CodeDelivery struct {
	Message
	Late bool // it should have come by now, and nobody has said that it has
}

// Key tells one picture of it from another.
func (d CodeDelivery) Key() string {
	return fmt.Sprintf("%d-%s-%t", d.ID, d.State, d.Late)
}

// CodeDelivery tells what became of the newest SMS to the visit's phone; nil
// where none was sent.
func (s *Service) CodeDelivery(ctx context.Context, v Visit) (*CodeDelivery, error) {
	if v.ContactID == nil || v.SelfToken == "" {
		return nil, nil //nolint:nilnil // nothing was sent, and that is no fault
	}
	m, err := s.DB.NewestCodeMessage(ctx, v.ID, *v.ContactID)
	if IsNotFound(err) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	d := CodeDelivery{Message: m}
	if m.State != MessageDelivered {
		d.Late = s.now().Sub(m.CreatedAt) >= codeLateAfter
	}
	return &d, nil
}

// recordSend stores how a send ended. The first one of a phone in a visit draws
// the token of the customer's own page, which a resend leaves as it is.
func (s *Service) recordSend(ctx context.Context, t *codeTry, m Message) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if t.visit.SelfToken == "" {
			v, err := tx.LockVisit(ctx, t.visit.ID)
			if err != nil {
				return err
			}
			// The phone may have been changed while the SMS was on its way.
			if v.Phone == t.visit.Phone && !v.Ended() {
				drawToken(&v)
				if err := tx.SaveVisit(ctx, v); err != nil {
					return err
				}
				t.visit = v
			}
		}
		if err := s.recordMessage(ctx, tx, m); err != nil {
			return err
		}
		if t.attempt.Verdict == string(OpenSend) {
			return nil // the claim has said so
		}
		return tx.EndSend(ctx, t.attempt)
	})
}

// CheckCode judges the code that the customer read out. An empty or malformed
// field is answered without a check, and nothing is counted. In a store where
// only the customer may type, this door is closed.
func (s *Service) CheckCode(ctx context.Context, a Actor, visitID int64, requestID, typed string) (Visit, error) {
	v, err := s.mayChallenge(ctx, a, visitID)
	if err != nil || v.VerifiedAt != nil {
		return v, err
	}
	// The actor's stores are read anew with every request.
	if a.Store().SelfEntry {
		return v, &Error{Kind: Conflict, Message: Say("code.self_only")}
	}
	return s.checkCode(ctx, s.codeTry(a, v, EntryAdvisor), requestID, typed)
}

func (s *Service) checkCode(ctx context.Context, t codeTry, requestID, typed string) (Visit, error) {
	v := t.visit
	if !validRequestID(requestID) {
		return v, formStale()
	}
	if untyped(typed) {
		return v, invalid("code", "code.empty", "Count", s.Settings.CodeLength)
	}
	code, ok := s.readCode(typed)
	if !ok {
		return v, invalid("code", "code.malformed", "Count", s.Settings.CodeLength)
	}
	// Redis may count the guess and the browser hang up before it has said so:
	// the record must not depend on that.
	ctx = context.WithoutCancel(ctx)
	digest := s.digest(v, code)
	if v, err := s.askNext(ctx, &t, AttemptCheck, requestKey(AttemptCheck, requestID, digest)); err != nil || v.VerifiedAt != nil {
		return v, err
	}
	if t.attempt.Verdict != VerdictAsked {
		return s.answeredBefore(ctx, t)
	}
	var res CheckResult
	err := s.judged(ctx, func() (err error) {
		res, err = s.Challenges.Check(ctx, CheckRequest{
			PhoneKey: t.phoneKey, VisitID: v.ID, Link: v.Link, Event: event(t.attempt.ID), Digest: digest, Now: s.now(),
			Tries: s.Settings.CodeTries, Wrongs: s.attemptBudgets(t.attempt),
		})
		return err
	})
	if err != nil {
		return v, err
	}
	at := &t.attempt
	at.Verdict, at.ChallengeID, at.LimitMet = string(res.Verdict), res.ID, res.Limit.Name
	if !res.SentAt.IsZero() {
		at.AfterSend = max(0, at.At.Sub(res.SentAt))
	}
	if res.Verdict == CheckRight {
		return s.recordVerified(ctx, t)
	}
	if err := s.finish(ctx, *at); err != nil {
		return v, err
	}
	if res.Verdict == CheckUsed {
		// Another form has succeeded a moment ago; its record is on its way, or
		// was lost.
		if v, err = s.settleVisit(ctx, v); err == nil && v.VerifiedAt == nil {
			v, err = s.DB.Visit(ctx, v.ID)
		}
		if err != nil || v.VerifiedAt != nil {
			return v, err
		}
	}
	return v, codeRefused(res)
}

// codeRefused puts a verdict into words. A wrong code and one that another
// request used up sound alike to a guesser; the advisor is told what helps.
func codeRefused(res CheckResult) error {
	switch res.Verdict {
	case CheckWrong:
		if res.Left > 0 {
			return invalid("code", "code.wrong", "Count", res.Left)
		}
		if res.Limit.Name != "" {
			return limited(res.Limit)
		}
		return invalid("code", "code.locked")
	case CheckLocked:
		return invalid("code", "code.locked")
	case CheckLimited:
		return limited(res.Limit)
	default:
		return invalid("code", "code.expired")
	}
}

// recordVerified stores the success with time, challenge and advisor.
func (s *Service) recordVerified(ctx context.Context, t codeTry) (Visit, error) {
	change := s.change
	if t.entry == EntrySelf {
		change = s.changeSelf
	}
	v, err := change(ctx, t.Actor, t.visit.ID, func(ctx context.Context, tx Tx, v *Visit) error {
		// The link that this code proves may have ended while it was typed.
		if err := stillAsked(*v, t.visit); err != nil {
			return err
		}
		if _, err := tx.FinishAttempt(ctx, t.attempt); err != nil || v.VerifiedAt != nil {
			return err
		}
		return s.verify(ctx, tx, v, t.attempt)
	})
	switch {
	case err == nil:
		s.uncount(ctx, t.attempt)
	case KindOf(err) == Conflict, IsNotFound(err):
		// The guess was right all the same, and is no longer on its way.
		err = orFailure(err, s.finish(ctx, t.attempt))
	}
	return v, err
}

// verify marks a locked visit as verified by an attempt. Where the customer
// verifies after the visit, what it causes follows now.
func (s *Service) verify(ctx context.Context, tx Tx, v *Visit, at CodeAttempt) error {
	first, err := tx.AddVerification(ctx, Verification{
		ChallengeID: at.ChallengeID, VisitID: v.ID, ContactID: *v.ContactID, StoreID: v.StoreID, StaffID: v.AdvisorID, At: at.At,
	})
	if err != nil || !first {
		return err // a challenge proves one link, once
	}
	v.VerifiedAt, v.CodeSkipped = &at.At, false
	if err := tx.ConfirmConsents(ctx, v.ID, at.ChallengeID); err != nil {
		return err
	}
	if err := nameContact(ctx, tx, *v); err != nil {
		return err
	}
	err = tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: v.AdvisorID, At: at.At, Kind: EventVerified, Detail: string(at.Entry)})
	if err != nil || !v.Ended() || v.Voided() {
		return err
	}
	return s.follow(ctx, tx, *v)
}

// nameContact writes a verified visit's name: only the person who holds the
// phone may rename its contact. Somebody who took the consent back after this
// visit, and verifies it only now, stays nameless.
func nameContact(ctx context.Context, tx Tx, v Visit) error {
	c, err := tx.Contact(ctx, *v.ContactID)
	if err != nil {
		return err
	}
	given := v.PersonalData
	if v.Ended() {
		// This visit's yes counts once it is saved as verified.
		if err := tx.SaveVisit(ctx, v); err != nil {
			return err
		}
		consents, err := tx.ContactConsents(ctx, c.ID)
		if err != nil {
			return err
		}
		given = consents[PersonalData]
	}
	if given {
		c.Name, c.Language = v.CustomerName, v.Language
	}
	if c.VerifiedAt == nil {
		c.VerifiedAt = v.VerifiedAt
	}
	return tx.SaveContact(ctx, c)
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
		return s.addPassed(ctx, tx, *v, EventCodeSkipped)
	})
}

// DeferCode goes on without a verified phone, and leaves the customer until
// CODE_LATER after the visit to verify it on their own page.
func (s *Service) DeferCode(ctx context.Context, a Actor, visitID int64) (Visit, error) {
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		switch {
		case v.ContactID == nil:
			return stepTooEarly()
		case !v.Communications:
			return &Error{Kind: Conflict, Message: Say("code.no_consent")}
		case v.VerifiedAt != nil || v.CodeDeferred:
			return nil
		}
		v.CodeSkipped, v.CodeDeferred = true, true
		drawToken(v)
		return s.addPassed(ctx, tx, *v, EventCodeDeferred)
	})
}

// addPassed notes that a visit went on unverified, and after how many SMS.
func (s *Service) addPassed(ctx context.Context, tx Tx, v Visit, kind EventKind) error {
	attempts, err := tx.CodeAttempts(ctx, v.ID)
	if err != nil {
		return err
	}
	sent := 0
	for _, at := range attempts {
		if at.Kind == AttemptSend && at.PhoneKey == s.PhoneKey(v.Phone) && (at.Verdict == string(OpenSend) || at.Verdict == "unclear") {
			sent++
		}
	}
	return tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: v.AdvisorID, At: v.TouchedAt, Kind: kind, Detail: strconv.Itoa(sent)})
}
