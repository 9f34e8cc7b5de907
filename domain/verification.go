package domain

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CodeAttempt is one send or check on record: never the code. From these rows
// the limits are rebuilt, reports are made, and invented customers show.
type CodeAttempt struct {
	ID          int64
	VisitID     int64
	StoreID     int64
	StaffID     int64  // of the visit's advisor
	ChallengeID string // empty where none was live
	Kind        AttemptKind
	Entry       CodeEntry
	Verdict     string // an OpenVerdict, a CheckVerdict, "failed" for a gateway that refused, "unclear" for one that may have sent
	AfterSend   time.Duration
	PhoneKey    string    // keyed hash; emptied when no limit needs it any more
	AddressKey  string    // keyed hash of the client's address
	LimitMet    LimitName // the limit that refused it, or that this wrong guess used up
	At          time.Time
}

// CodeEntry is where a code is asked for and typed.
type CodeEntry string

// The two places.
const (
	EntryAdvisor CodeEntry = "advisor" // on the advisor's screen
	EntrySelf    CodeEntry = "self"    // on the customer's own phone, out of the advisor's hearing
)

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
}

func (s *Service) codeTry(a Actor, v Visit, entry CodeEntry) codeTry {
	return codeTry{Actor: a, visit: v, entry: entry, phoneKey: s.PhoneKey(v.Phone), addressKey: s.addressKey(a.Address)}
}

// attempt begins the row of what is tried.
func (t codeTry) attempt(kind AttemptKind, verdict, challengeID string) CodeAttempt {
	return CodeAttempt{
		VisitID: t.visit.ID, StoreID: t.visit.StoreID, StaffID: t.visit.AdvisorID, ChallengeID: challengeID,
		Kind: kind, Entry: t.entry, Verdict: verdict, PhoneKey: t.phoneKey, AddressKey: t.addressKey,
	}
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
	id := RandomToken(16)
	var res OpenResult
	err = s.judged(ctx, func() (err error) {
		res, err = s.Challenges.Open(ctx, OpenRequest{
			PhoneKey: t.phoneKey, VisitID: v.ID, RequestID: requestID,
			ID: id, Digest: s.digest(v, s.code(id)), Now: s.now(),
			Lifetime: s.Settings.CodeLifetime, ResendAfter: s.Settings.CodeResendAfter, Tries: s.Settings.CodeTries,
			Sends: s.sendBudgets(t.phoneKey, t.addressKey, v), Wrongs: s.wrongBudgets(t.phoneKey, v),
		})
		return err
	})
	if err != nil {
		return v, err
	}
	attempt := t.attempt(AttemptSend, string(res.Verdict), res.ID)
	switch res.Verdict {
	case OpenRepeated:
		return v, nil
	case OpenDone:
		// The phone has answered, but the visit does not say so: the record
		// was lost on its way, or the phone was changed and changed back.
		return s.recordVerified(ctx, t, attempt, true)
	case OpenWait:
		err = &Error{Kind: Limited, Message: Say("code.wait", "Count", seconds(res.Wait)), RetryAfter: res.Wait}
		return v, orFailure(err, s.recordAttempt(ctx, attempt))
	case OpenLimited:
		attempt.LimitMet = res.Limit.Name
		return v, orFailure(limited(res.Limit), s.recordAttempt(ctx, attempt))
	}
	m, err := s.sendCodeText(ctx, &t, store, programme, res.ID)
	if err != nil {
		// Nothing was sent, but Redis has counted it, and the rows must agree.
		attempt.Verdict = "failed"
		return t.visit, orFailure(err, s.recordAttempt(ctx, attempt))
	}
	switch m.State {
	case MessageUndelivered:
		attempt.Verdict = "failed"
	case MessageUnknown:
		attempt.Verdict = "unclear"
	}
	err = s.recordSend(ctx, &t, attempt, m)
	v = t.visit
	if attempt.Verdict == "failed" {
		return v, &Error{Kind: Unavailable, Message: Say("code.gateway_failed"), Err: err}
	}
	return v, err
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
// it.
func (s *Service) sendCodeText(ctx context.Context, t *codeTry, store Store, p Programme, challengeID string) (Message, error) {
	kind, now := CodeMessage, s.now()
	if store.SelfEntry || t.entry == EntrySelf {
		kind = SelfCodeMessage
	}
	values := map[string]string{"code": s.code(challengeID), "brand": p.Brand, "store": store.Name}
	m := Message{
		Channel: CodeChannel, Kind: kind, ProgrammeID: t.visit.ProgrammeID, ContactID: *t.visit.ContactID, Phone: t.visit.Phone,
		VisitID: t.visit.ID, StoreID: t.visit.StoreID, ChallengeID: challengeID, Language: t.visit.Language,
		State: MessageSending, DueAt: now, SendingAt: &now, CreatedAt: now,
	}
	var text string
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		v, err := tx.LockVisit(ctx, t.visit.ID)
		if err != nil {
			return err
		}
		if err := stillAsked(v, t.visit); err != nil {
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
	if err != nil {
		return m, err
	}
	h := s.handCode(ctx, SMSText{MessageID: m.ID, To: m.Phone, Text: text, Code: true, Validity: s.Settings.CodeLifetime})
	outcome(&m, h, s.now())
	return m, nil
}

// stillAsked tells whether a visit, as it is now, may still send the code that
// it was asked for. Since then it may have been changed in another tab, or its
// customer erased: their page is gone then, though a visit that has ended
// keeps the contact.
func stillAsked(v, asked Visit) error {
	switch {
	case v.ContactID == nil, *v.ContactID != *asked.ContactID, v.Phone != asked.Phone, asked.SelfToken != "" && v.SelfToken != asked.SelfToken:
		return &Error{Kind: Conflict, Message: Say("code.phone_changed")}
	case !v.Communications:
		return &Error{Kind: Conflict, Message: Say("code.no_consent")}
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

// recordSend stores a send. The first one of a phone in a visit draws the
// token of the customer's own page, which a resend leaves as it is.
func (s *Service) recordSend(ctx context.Context, t *codeTry, at CodeAttempt, m Message) error {
	at.At = s.now()
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
		return tx.AddCodeAttempt(ctx, at)
	})
}

// recordAttempt stores a send, or a check that verified nothing. It leaves the
// visit alone, so it waits for nobody.
func (s *Service) recordAttempt(ctx context.Context, at CodeAttempt) error {
	at.At = s.now()
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if at.Entry == EntrySelf && at.Verdict != string(CheckWrong) && at.Verdict != "failed" {
			if noted, err := s.noted(ctx, tx, at); err != nil || noted {
				return err
			}
		}
		return tx.AddCodeAttempt(ctx, at)
	})
}

// noted tells whether the same refusal is on record of a moment ago. Whoever
// has the address of a customer's page signs in nowhere, and could fill the
// books with what counts nothing.
func (s *Service) noted(ctx context.Context, q Queries, at CodeAttempt) (bool, error) {
	past, err := q.CodeAttempts(ctx, at.VisitID)
	return slices.ContainsFunc(past, func(p CodeAttempt) bool {
		return p.Kind == at.Kind && p.Entry == at.Entry && p.Verdict == at.Verdict && p.LimitMet == at.LimitMet &&
			p.PhoneKey == at.PhoneKey && (at.LimitMet != LimitSendAddress || p.AddressKey == at.AddressKey) && p.At.After(at.At.Add(-s.Settings.CodeLifetime))
	}), err
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
	if strings.TrimSpace(typed) == "" {
		return v, invalid("code", "code.empty", "Count", s.Settings.CodeLength)
	}
	code, ok := s.readCode(typed)
	if !ok {
		return v, invalid("code", "code.malformed", "Count", s.Settings.CodeLength)
	}
	// Redis may count the guess and the browser hang up before it has said so:
	// the record must not depend on that.
	ctx = context.WithoutCancel(ctx)
	var res CheckResult
	err := s.judged(ctx, func() (err error) {
		res, err = s.Challenges.Check(ctx, CheckRequest{
			PhoneKey: t.phoneKey, VisitID: v.ID, RequestID: requestID, Digest: s.digest(v, code), Now: s.now(),
			Tries: s.Settings.CodeTries, Wrongs: s.wrongBudgets(t.phoneKey, v),
		})
		return err
	})
	if err != nil {
		return v, err
	}
	attempt := t.attempt(AttemptCheck, string(res.Verdict), res.ID)
	attempt.LimitMet = res.Limit.Name
	if !res.SentAt.IsZero() {
		attempt.AfterSend = s.now().Sub(res.SentAt)
	}
	switch res.Verdict {
	case CheckRight:
		return s.recordVerified(ctx, t, attempt, res.Repeated)
	case CheckUsed:
		// The same phone, visit and advisor have succeeded before.
		return s.recordVerified(ctx, t, attempt, true)
	}
	if !res.Repeated {
		if err := s.recordAttempt(ctx, attempt); err != nil {
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

// recordVerified stores the success with time, challenge and advisor. Where
// the customer verifies after the visit, what it causes follows now.
func (s *Service) recordVerified(ctx context.Context, t codeTry, at CodeAttempt, repeated bool) (Visit, error) {
	change := s.change
	if t.entry == EntrySelf {
		change = s.changeSelf
	}
	return change(ctx, t.Actor, t.visit.ID, func(ctx context.Context, tx Tx, v *Visit) error {
		if v.ContactID == nil || v.Phone != t.visit.Phone {
			// The phone was changed in another tab while this code was typed.
			return &Error{Kind: Conflict, Message: Say("code.phone_changed")}
		}
		at.At = s.now()
		if !repeated {
			if err := tx.AddCodeAttempt(ctx, at); err != nil {
				return err
			}
		}
		if v.VerifiedAt != nil {
			return nil
		}
		first, err := tx.AddVerification(ctx, Verification{
			ChallengeID: at.ChallengeID, VisitID: v.ID, ContactID: *v.ContactID, StoreID: v.StoreID, StaffID: v.AdvisorID, At: at.At,
		})
		if err != nil {
			return err
		}
		v.VerifiedAt, v.CodeSkipped = &at.At, false
		if !first {
			return nil
		}
		if err := tx.ConfirmConsents(ctx, v.ID, at.ChallengeID); err != nil {
			return err
		}
		if err := nameContact(ctx, tx, *v); err != nil {
			return err
		}
		err = tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: v.AdvisorID, At: at.At, Kind: EventVerified, Detail: string(t.entry)})
		if err != nil || !v.Ended() || v.Voided() {
			return err
		}
		return s.follow(ctx, tx, *v)
	})
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
