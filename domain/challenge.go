package domain

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
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
	// parallel calls within the pause send one SMS. Like Check it fails with
	// ErrLimitsLost where Redis has forgotten what was counted.
	Open(ctx context.Context, r OpenRequest) (OpenResult, error)
	// Check counts the guess first and compares after, in one atomic step.
	Check(ctx context.Context, r CheckRequest) (CheckResult, error)
	// Look reads the state for a screen and changes nothing.
	Look(ctx context.Context, r LookRequest) (ChallengeState, error)
	// Verdict tells what became of what Open or Check was asked for, where
	// nobody has heard the answer. It changes nothing.
	Verdict(ctx context.Context, r VerdictRequest) (VerdictResult, error)
}

// VerdictRequest asks what became of an event.
type VerdictRequest struct {
	PhoneKey string
	VisitID  int64
	Link     string
	Event    string
	Now      time.Time
	Counted  []Budget // that it would have spent
}

// VerdictResult tells it. All empty: Redis has not heard of it, refused it
// without counting it, or has forgotten it since.
type VerdictResult struct {
	ID       string       // of the challenge, where it is known
	Check    CheckVerdict // of a check that was compared, while its challenge lasts
	Counted  bool         // it was judged and counted
	Restored bool         // it was put back as one that was asked
}

// LookRequest asks where a challenge stands.
type LookRequest struct {
	PhoneKey string
	VisitID  int64
	Link     string // between visit and phone
	Now      time.Time
	Tries    int
	Sends    []Budget // that another SMS would spend
	Wrongs   []Budget // that a wrong code would spend
}

// OpenRequest asks for a code to be sent.
type OpenRequest struct {
	PhoneKey string // keyed hash of the phone
	VisitID  int64
	Link     string // between visit and phone; a challenge never outlives it
	Event    string // under which the SMS is counted, once; the same event again is answered as before
	// ID and Digest are used when a new challenge begins; a live challenge
	// keeps its own, so that a resend repeats the same code.
	ID     string
	Digest string // keyed hash of visit, phone, advisor and code
	Now    time.Time

	Lifetime    time.Duration
	ResendAfter []time.Duration // pause after the 1st, 2nd, … SMS to this phone; the last repeats
	Tries       int             // wrong guesses per challenge
	Sends       []Budget        // counted with this SMS
	Wrongs      []Budget        // only looked at: an SMS whose code nobody may type is not sent
}

// OpenVerdict says what Open did.
type OpenVerdict string

// The verdicts of Open.
const (
	OpenSend     OpenVerdict = "send"     // send the SMS now
	OpenRepeated OpenVerdict = "repeated" // this very event was counted before
	OpenWait     OpenVerdict = "wait"     // the pause is not over
	OpenLimited  OpenVerdict = "limited"  // a budget is used up
	OpenDone     OpenVerdict = "done"     // already verified in this visit
)

// OpenResult is the answer of Open.
type OpenResult struct {
	Verdict OpenVerdict
	ID      string        // of the live challenge, from which the code is derived
	Sends   int           // SMS of this challenge so far, this one included
	Wait    time.Duration // for OpenWait: until the pause is over
	Limit   Limit         // for OpenLimited: which, and until when
	State   ChallengeState
}

// CheckRequest asks whether a typed code is right.
type CheckRequest struct {
	PhoneKey string
	VisitID  int64
	Link     string
	Event    string // under which the guess is counted, once; the same event again is answered as before
	Digest   string // of what was typed
	Now      time.Time
	Tries    int
	Wrongs   []Budget // counted before the compare; a right code takes itself back
}

// CheckVerdict says how a guess was judged.
type CheckVerdict string

// The verdicts of Check.
const (
	CheckRight   CheckVerdict = "right"
	CheckWrong   CheckVerdict = "wrong"
	CheckLocked  CheckVerdict = "locked"  // the challenge has no tries left; not compared
	CheckLimited CheckVerdict = "limited" // a budget is used up; not compared
	CheckExpired CheckVerdict = "expired" // no live challenge; not compared
	CheckUsed    CheckVerdict = "used"    // another event has succeeded before; not compared
)

// CheckResult is the answer of Check.
type CheckResult struct {
	Verdict  CheckVerdict
	ID       string    // of the challenge
	Left     int       // tries left in this challenge, or fewer where a budget has fewer
	Repeated bool      // this very event was answered before; nothing was counted
	Limit    Limit     // for CheckLimited: which; for CheckWrong: the one that this guess used up, if any
	SentAt   time.Time // of the last SMS of the challenge
	State    ChallengeState
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
	Barred   Limit         // no code may be typed, whichever
	Silent   Limit         // no SMS may be sent
}

// unanswered is after how many SMS of one challenge nobody believes any more
// that one will come: the second resend.
const unanswered = 3

// Unanswered tells that the SMS may never come, though the number is right: a
// subscriber can have all mass SMS blocked by the operator.
func (c ChallengeState) Unanswered() bool { return !c.Verified && c.Sends >= unanswered }

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
func (s *Service) PhoneKey(phone string) string { return s.key("phone", phone) }

// key is a keyed hash that tells nothing of the value to whoever reads it.
func (s *Service) key(use, value string) string { return hex.EncodeToString(s.mac(use, value)[:16]) }

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

// digest binds a code to phone, visit, link and advisor. Where a link has no
// name it is of a visit from before they had one, whose code may be on its way.
func (s *Service) digest(v Visit, code string) string {
	parts := []string{"guess", v.Phone, strconv.FormatInt(v.ID, 10), strconv.FormatInt(v.AdvisorID, 10), code}
	if v.Link != "" {
		parts = append(parts, v.Link)
	}
	return hex.EncodeToString(s.mac(parts...))
}

// RandomToken gives n bytes from the system's random source in URL-safe
// base64; for ids that must not be guessed.
func RandomToken(n int) string {
	b := make([]byte, n)
	// crypto/rand.Read never fails on a supported system: it ends the program.
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// CodeState gives what the code screen shows, and the visit: a right code whose
// answer was lost on its way verifies it now.
func (s *Service) CodeState(ctx context.Context, a Actor, v Visit, entry CodeEntry) (Visit, ChallengeState, error) {
	if v.ContactID == nil {
		return v, ChallengeState{}, nil
	}
	v, err := s.settleVisit(ctx, v)
	if err != nil {
		return v, ChallengeState{}, err
	}
	state, err := s.codeState(ctx, s.codeTry(a, v, entry))
	return v, state, err
}

func (s *Service) codeState(ctx context.Context, t codeTry) (state ChallengeState, err error) {
	err = s.judged(ctx, func() (err error) {
		state, err = s.Challenges.Look(ctx, LookRequest{
			PhoneKey: t.phoneKey, VisitID: t.visit.ID, Link: t.visit.Link, Now: s.now(), Tries: s.Settings.CodeTries,
			Sends:  s.sendBudgets(t.phoneKey, t.addressKey, t.visit, t.entry),
			Wrongs: s.wrongBudgets(t.phoneKey, t.addressKey, t.visit, t.entry),
		})
		return err
	})
	return state, err
}

// readCode folds what was typed; ok is false when it can't be a code.
func (s *Service) readCode(typed string) (string, bool) {
	code := FoldPromoCode(typed)
	return code, len(code) == s.Settings.CodeLength && strings.Trim(code, "0123456789") == ""
}
