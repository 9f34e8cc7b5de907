package domain

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Challenges keeps the one-time codes: one challenge per phone and visit, with
// counters per phone. It sees neither a code nor a phone, only keyed hashes.
// Every method answers within its own short deadline; an error means that
// nothing is verified (fail closed) and is of kind Unavailable.
type Challenges interface {
	// Open opens a challenge or repeats the live one, in one atomic step:
	// parallel calls within the pause send one SMS.
	Open(ctx context.Context, r OpenRequest) (OpenResult, error)
	// Check counts the guess first and compares after, in one atomic step.
	Check(ctx context.Context, r CheckRequest) (CheckResult, error)
	// Look reads the state for a screen and changes nothing.
	Look(ctx context.Context, phoneKey string, visitID int64, now time.Time) (ChallengeState, error)
}

// OpenRequest asks for a code to be sent.
type OpenRequest struct {
	PhoneKey  string // keyed hash of the phone
	VisitID   int64
	RequestID string // of the form: a repeated request repeats its answer and sends nothing
	// ID and Digest are used when a new challenge begins; a live challenge
	// keeps its own, so that a resend repeats the same code.
	ID     string
	Digest string // keyed hash of visit, phone, advisor and code
	Now    time.Time

	Lifetime    time.Duration
	ResendAfter []time.Duration // pause after the 1st, 2nd, … SMS to this phone; the last repeats
	Tries       int             // wrong guesses per challenge
	TriesPerDay int             // wrong guesses per phone in 24 hours
}

// OpenVerdict says what Open did.
type OpenVerdict string

// The verdicts of Open.
const (
	OpenSend     OpenVerdict = "send"     // send the SMS now
	OpenRepeated OpenVerdict = "repeated" // this very request was answered before: nothing to send
	OpenWait     OpenVerdict = "wait"     // the pause is not over
	OpenLocked   OpenVerdict = "locked"   // the phone has no guesses left today
	OpenDone     OpenVerdict = "done"     // already verified in this visit
)

// OpenResult is the answer of Open.
type OpenResult struct {
	Verdict OpenVerdict
	ID      string        // of the live challenge, from which the code is derived
	Sends   int           // SMS of this challenge so far, this one included
	Wait    time.Duration // for OpenWait and OpenLocked: until it can be tried again
	State   ChallengeState
}

// CheckRequest asks whether a typed code is right.
type CheckRequest struct {
	PhoneKey    string
	VisitID     int64
	RequestID   string
	Digest      string // of what was typed
	Now         time.Time
	Tries       int
	TriesPerDay int
}

// CheckVerdict says how a guess was judged.
type CheckVerdict string

// The verdicts of Check.
const (
	CheckRight   CheckVerdict = "right"
	CheckWrong   CheckVerdict = "wrong"
	CheckLocked  CheckVerdict = "locked"  // the challenge has no tries left; not compared
	CheckDay     CheckVerdict = "day"     // the phone has no guesses left today; not compared
	CheckExpired CheckVerdict = "expired" // no live challenge; not compared
	CheckUsed    CheckVerdict = "used"    // it succeeded before, by another request; not compared
)

// CheckResult is the answer of Check.
type CheckResult struct {
	Verdict  CheckVerdict
	ID       string        // of the challenge
	Left     int           // tries left in this challenge
	Repeated bool          // this very request was answered before; nothing was counted
	Wait     time.Duration // for CheckDay: until the day's budget returns
	SentAt   time.Time     // of the last SMS of the challenge
}

// ChallengeState is what a screen shows of a challenge.
type ChallengeState struct {
	Live     bool // a code is out and can be typed
	Verified bool
	Locked   bool          // out of tries
	Left     int           // tries left
	Sends    int           // SMS in this challenge
	Resend   time.Duration // until the next SMS may be sent; 0 = now
	Expires  time.Duration // until the code is void
	DayLock  time.Duration // until the phone's daily budget returns; 0 = not locked
}

// SMS is a gateway, or several behind one face.
type SMS interface {
	// Send hands one text over. An *SMSError tells a refusal (nothing was
	// sent) from an ambiguous end (it may have been).
	Send(ctx context.Context, m SMSText) error
	// Name is what is noted on the message.
	Name() string
}

// SMSText is a text on its way. It is never logged.
type SMSText struct {
	To   string // E.164
	Text string
	Code bool // a one-time code: before everything else, and kept nowhere
}

// SMSError is a failure of a gateway.
type SMSError struct {
	Ambiguous bool // it may have been sent all the same: do not send again
	Err       error
}

func (e *SMSError) Error() string { return "sms gateway: " + e.Err.Error() }
func (e *SMSError) Unwrap() error { return e.Err }

// smsDeadline is how long a code may take to reach the gateway: an advisor
// stands there and waits.
const smsDeadline = 4 * time.Second

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

// mac is a keyed hash over parts that are kept apart by their lengths, so
// that ("ab","c") and ("a","bc") differ. The first part names the use.
func (s *Service) mac(parts ...string) []byte {
	h := hmac.New(sha256.New, s.Secret)
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// PhoneKey is the phone as Redis knows it.
func (s *Service) PhoneKey(phone string) string {
	return hex.EncodeToString(s.mac("phone", phone)[:16])
}

// code derives the digits from a challenge's id: nothing that Redis holds
// reveals them, and a resend repeats them. Values at the ragged end of the
// range are drawn again, so that every code is equally likely.
func (s *Service) code(challengeID string) string {
	limit := uint64(1)
	for range s.Settings.CodeLength {
		limit *= 10
	}
	ragged := ^uint64(0) - ^uint64(0)%limit
	for round := 0; ; round++ {
		n := binary.BigEndian.Uint64(s.mac("code", challengeID, strconv.Itoa(round)))
		if n < ragged {
			return fmt.Sprintf("%0*d", s.Settings.CodeLength, n%limit)
		}
	}
}

// digest binds a code to phone, visit and advisor.
func (s *Service) digest(v Visit, code string) string {
	return hex.EncodeToString(s.mac("guess", v.Phone, strconv.FormatInt(v.ID, 10), strconv.FormatInt(v.AdvisorID, 10), code))
}

// RandomToken gives n bytes from the system's random source in URL-safe
// base64; for ids that must not be guessed.
func RandomToken(n int) string {
	b := make([]byte, n)
	// crypto/rand.Read never fails on a supported system: it ends the program.
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// CodeState gives what the code screen shows.
func (s *Service) CodeState(ctx context.Context, v Visit) (ChallengeState, error) {
	if v.ContactID == nil {
		return ChallengeState{}, nil
	}
	return s.Challenges.Look(ctx, s.PhoneKey(v.Phone), v.ID, s.now())
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

// readCode folds what was typed; ok is false when it can't be a code.
func (s *Service) readCode(typed string) (string, bool) {
	code := FoldPromoCode(typed)
	return code, len(code) == s.Settings.CodeLength && strings.Trim(code, "0123456789") == ""
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
