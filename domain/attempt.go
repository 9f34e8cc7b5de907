package domain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"
)

// CodeAttempt is one send or check on record: never the code. It is written
// before Redis judges it and gets the verdict afterwards, so whatever Redis has
// counted is on record, whoever was killed or cut off in between. From these
// rows the limits are rebuilt, reports are made, and invented customers show.
type CodeAttempt struct {
	ID          int64
	VisitID     int64
	StoreID     int64
	StaffID     int64  // of the visit's advisor
	Link        string // of the visit when it was asked: whose challenge this is
	ChallengeID string // empty where none was live
	Kind        AttemptKind
	Entry       CodeEntry
	Verdict     string // an OpenVerdict, a CheckVerdict or one of those below
	RequestKey  string // hash of the form that asked, while the verdict answers it; empty afterwards
	AfterSend   time.Duration
	PhoneKey    string    // keyed hash; emptied when no limit needs it any more
	AddressKey  string    // keyed hash of the client's address
	LimitMet    LimitName // the limit that refused it, or that this wrong guess used up
	At          time.Time
}

// Verdicts that neither Open nor Check gives.
const (
	VerdictAsked    = "asked"    // Redis has not answered yet, or its answer was lost; the limits are rebuilt as if it was counted
	VerdictUnjudged = "unjudged" // Redis has never heard of it; counts nothing
	VerdictUnsent   = "unsent"   // Redis has counted it, and then no SMS was handed over
	VerdictFailed   = "failed"   // no gateway took the SMS
	VerdictUnclear  = "unclear"  // the gateway may have sent it
)

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

// event is the name under which Redis counts what is on record under an id,
// also when it is put back from there.
func event(id int64) string { return "row:" + strconv.FormatInt(id, 10) }

// orphanedAfter is when nobody can be at work any more on what is still asked:
// every call on its way has a deadline that is much shorter.
const orphanedAfter = 5 * time.Minute

// counted tells whether an attempt is counted by the limits.
func (at CodeAttempt) counted() bool {
	switch at.Verdict {
	case VerdictAsked, string(CheckWrong), string(OpenSend), VerdictUnsent, VerdictFailed, VerdictUnclear:
		return true
	}
	return false
}

// Answers tells whether the same form once more is answered by this verdict.
// What was refused counted nothing, and may well succeed the next time.
func (at CodeAttempt) Answers() bool { return at.counted() || at.Verdict == string(CheckRight) }

// budgets are those that the attempt spends.
func (s *Service) attemptBudgets(at CodeAttempt) []Budget {
	v := Visit{ID: at.VisitID, AdvisorID: at.StaffID, StoreID: at.StoreID}
	if at.Kind == AttemptSend {
		return s.sendBudgets(at.PhoneKey, at.AddressKey, v, at.Entry)
	}
	return s.wrongBudgets(at.PhoneKey, at.AddressKey, v, at.Entry)
}

// requestKey is what a form leaves on record. Another code under the same
// request id is another guess, and counted.
func requestKey(kind AttemptKind, requestID, content string) string {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + requestID + "\x00" + content))
	return hex.EncodeToString(sum[:16])
}

// ask puts on record that Redis will be asked. Where the same form came before,
// that attempt is given: with its verdict, or still asked.
func (s *Service) ask(ctx context.Context, t *codeTry, kind AttemptKind, key string) error {
	t.attempt = CodeAttempt{
		VisitID: t.visit.ID, StoreID: t.visit.StoreID, StaffID: t.visit.AdvisorID, Link: t.visit.Link, Kind: kind, Entry: t.entry,
		Verdict: VerdictAsked, RequestKey: key, PhoneKey: t.phoneKey, AddressKey: t.addressKey, At: s.now(),
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) (err error) {
		t.attempt, err = tx.AskAttempt(ctx, t.attempt)
		return err
	})
}

// finish writes the verdict of an attempt that verified nothing. It leaves the
// visit alone, so it waits for nobody. What counts nothing is written only by
// the last who is at work on the form: it may be judged twice at once, and the
// other hear another answer. Where somebody did not come back the attempt stays
// asked until Redis tells.
func (s *Service) finish(ctx context.Context, at CodeAttempt) error {
	var written bool
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) (err error) {
		if at.Entry == EntrySelf && !at.Answers() {
			noted, err := s.noted(ctx, tx, at)
			if err != nil {
				return err
			}
			if noted {
				written, err = tx.DropAttempt(ctx, at.ID)
				return err
			}
		}
		written, err = tx.FinishAttempt(ctx, at)
		return err
	})
	if written && !at.counted() {
		s.uncount(ctx, at)
	}
	return err
}

// uncount takes back what a restore may have counted while the attempt was
// asked and its verdict not yet on record. A Redis that is away by then may
// keep it counted, which harms nobody's guard; whoever asked has an answer.
func (s *Service) uncount(ctx context.Context, at CodeAttempt) {
	_ = s.Limits.Refund(ctx, event(at.ID), s.attemptBudgets(at))
}

// noted tells whether the same refusal is on record of a moment ago. Whoever
// has the address of a customer's page signs in nowhere, and could fill the
// books with what counts nothing.
func (s *Service) noted(ctx context.Context, q Queries, at CodeAttempt) (bool, error) {
	past, err := q.CodeAttempts(ctx, at.VisitID)
	return slices.ContainsFunc(past, func(p CodeAttempt) bool {
		return p.ID != at.ID && p.Kind == at.Kind && p.Entry == at.Entry && p.Verdict == at.Verdict && p.LimitMet == at.LimitMet &&
			p.PhoneKey == at.PhoneKey && (at.LimitMet != LimitSelfSendAddress && at.LimitMet != LimitSelfAddress || p.AddressKey == at.AddressKey) &&
			p.At.After(at.At.Add(-s.Settings.CodeLifetime))
	}), err
}

// settledByOne is how many attempts one request settles, the oldest: where
// many ask at once, most of what they find is only on its way.
const settledByOne = 4

// settleVisit writes what Redis has judged in a visit and nobody has heard:
// the answer came too late, the connection was cut, or the program was killed.
// A right code verifies now.
func (s *Service) settleVisit(ctx context.Context, v Visit) (Visit, error) {
	asked, err := s.DB.AskedAttempts(ctx, v.ID, settledByOne)
	if err != nil {
		return v, err
	}
	for _, at := range asked {
		now, err := s.settle(ctx, at)
		if err != nil {
			return v, err
		}
		if now.ID != 0 {
			v = now
		}
	}
	return v, nil
}

// settle gives the visit where it was changed. While somebody may still be at
// work on the attempt only a verdict counts, not that there is none.
func (s *Service) settle(ctx context.Context, at CodeAttempt) (Visit, error) {
	var res VerdictResult
	err := s.judged(ctx, func() (err error) {
		res, err = s.Challenges.Verdict(ctx, VerdictRequest{
			PhoneKey: at.PhoneKey, VisitID: at.VisitID, Link: at.Link, Event: event(at.ID), Now: s.now(), Counted: s.attemptBudgets(at),
		})
		return err
	})
	if err != nil {
		return Visit{}, err
	}
	orphan := at.At.Before(s.now().Add(-orphanedAfter))
	at.ChallengeID = res.ID
	switch {
	case res.Check == CheckRight:
		at.Verdict = string(CheckRight)
		return s.settleRight(ctx, at)
	case at.Kind == AttemptCheck && (res.Counted || orphan && res.Restored):
		at.Verdict = string(CheckWrong)
	case res.Counted || orphan && res.Restored:
		at.Verdict = VerdictUnsent
	case orphan:
		at.Verdict, at.ChallengeID = VerdictUnjudged, ""
	default:
		return Visit{}, nil
	}
	return Visit{}, s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error { return tx.SettleAttempt(ctx, at) })
}

// settleRight verifies the visit where it is still linked to the phone that
// has answered.
func (s *Service) settleRight(ctx context.Context, at CodeAttempt) (Visit, error) {
	var out Visit
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		v, err := tx.LockVisit(ctx, at.VisitID)
		if err != nil {
			return err
		}
		if _, err := tx.FinishAttempt(ctx, at); err != nil {
			return err
		}
		linked := v.ContactID != nil && v.Link == at.Link && s.PhoneKey(v.Phone) == at.PhoneKey
		if !linked || v.VerifiedAt != nil || v.Ended() && !s.MayVerify(v) {
			return nil
		}
		if err := s.verify(ctx, tx, &v, at); err != nil {
			return err
		}
		out = v
		return tx.SaveVisit(ctx, v)
	})
	if err == nil {
		s.uncount(ctx, at)
	}
	return out, err
}

// settledAtOnce is how many orphans one run of the job looks at.
const settledAtOnce = 200

// SettleAttempts settles what was asked and left alone for a while, and tells
// how much that was: whoever asked did not come back.
func (s *Service) SettleAttempts(ctx context.Context) (int, error) {
	before := s.now().Add(-orphanedAfter)
	attempts, err := s.DB.OrphanedAttempts(ctx, before, settledAtOnce)
	if err != nil {
		return 0, err
	}
	done := 0
	for _, at := range attempts {
		if _, err := s.settle(ctx, at); err != nil {
			return done, err
		}
		done++
	}
	guesses, err := s.DB.OrphanedRefusals(ctx, before, settledAtOnce)
	if err != nil {
		return done, err
	}
	for _, r := range guesses {
		// Nobody was told that the code does not exist.
		if err := s.dropGuess(ctx, r); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// SettleAttemptsJob runs SettleAttempts.
type SettleAttemptsJob struct{}

// Kind is the job's name in the queue.
func (SettleAttemptsJob) Kind() string { return "settle_attempts" }
