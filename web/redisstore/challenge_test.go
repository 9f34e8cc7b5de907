package redisstore_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

// talk is one visit with one phone, as the domain would ask for it.
type talk struct {
	t     *testing.T
	store *redisstore.Store
	phone string
	visit int64
	id    string // of the challenge that Open would begin
	right string // digest of the code of that challenge
	now   time.Time
}

func begin(t *testing.T, s *redisstore.Store) *talk {
	return &talk{t: t, store: s, phone: "phone-" + domain.RandomToken(8), visit: 7, id: "first", right: "digest-first", now: noon}
}

// with begins another challenge with what follows.
func (h *talk) with(id string) { h.id, h.right = id, "digest-"+id }

func (h *talk) openRequest(requestID string) domain.OpenRequest {
	return domain.OpenRequest{
		PhoneKey: h.phone, VisitID: h.visit, RequestID: requestID, ID: h.id, Digest: h.right, Now: h.now,
		Lifetime: 5 * time.Minute, ResendAfter: []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute}, Tries: 3, TriesPerDay: 5,
	}
}

func (h *talk) checkRequest(requestID, digest string) domain.CheckRequest {
	return domain.CheckRequest{PhoneKey: h.phone, VisitID: h.visit, RequestID: requestID, Digest: digest, Now: h.now, Tries: 3, TriesPerDay: 5}
}

// mustOpen asks for an SMS, holds the verdict against want, and looks at the
// TTLs and at the state that a screen would read.
func (h *talk) mustOpen(requestID string, want domain.OpenVerdict) domain.OpenResult {
	h.t.Helper()
	res, err := h.store.Challenges().Open(h.t.Context(), h.openRequest(requestID))
	if err != nil {
		h.t.Fatal(err)
	}
	if res.Verdict != want {
		h.t.Fatalf("open %s is %s; expected %s", requestID, res.Verdict, want)
	}
	if state := h.look(); state != res.State {
		h.t.Errorf("open %s: state is %+v, and a look gives %+v", requestID, res.State, state)
	}
	checkTTLs(h.t, h.store)
	return res
}

func (h *talk) mustCheck(requestID, digest string, want domain.CheckVerdict) domain.CheckResult {
	h.t.Helper()
	res, err := h.store.Challenges().Check(h.t.Context(), h.checkRequest(requestID, digest))
	if err != nil {
		h.t.Fatal(err)
	}
	if res.Verdict != want {
		h.t.Fatalf("check %s is %s; expected %s", requestID, res.Verdict, want)
	}
	checkTTLs(h.t, h.store)
	return res
}

func (h *talk) look() domain.ChallengeState {
	h.t.Helper()
	state, err := h.store.Challenges().Look(h.t.Context(), h.phone, h.visit, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	return state
}

// compared is how many guesses of this challenge have reached the compare.
func (h *talk) compared() int {
	h.t.Helper()
	n, err := h.store.Client().HGet(h.t.Context(), h.store.Prefix()+"pc:{"+h.phone+"}:visit:"+strconv.FormatInt(h.visit, 10), "compared").Int()
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func TestThreeWrongCodesLockTheRightOne(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		for i, left := range []int{2, 1, 0} {
			if res := h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong); res.Left != left || res.ID != "first" || res.Repeated {
				t.Errorf("after %d wrong codes: %+v; expected %d left", i+1, res, left)
			}
		}
		h.mustCheck("right", h.right, domain.CheckLocked)
		if state := h.look(); !state.Locked || state.Live || state.Verified || state.Left != 0 {
			t.Errorf("a locked challenge looks like %+v", state)
		}
		if h.compared() != 3 {
			t.Errorf("%d guesses were compared; expected 3", h.compared())
		}
	})
}

func TestRightCode(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		if state := h.look(); state != (domain.ChallengeState{}) {
			t.Errorf("nothing was sent, and it looks like %+v", state)
		}
		res := h.mustOpen("open", domain.OpenSend)
		if res.ID != "first" || res.Sends != 1 || res.State != (domain.ChallengeState{Live: true, Left: 3, Sends: 1, Resend: 30 * time.Second, Expires: 5 * time.Minute}) {
			t.Errorf("the first open gave %+v", res)
		}
		h.now = noon.Add(10 * time.Second)
		h.mustCheck("wrong", "wrong", domain.CheckWrong)
		right := h.mustCheck("right", h.right, domain.CheckRight)
		if right.ID != "first" || right.Left != 2 || right.Repeated || !right.SentAt.Equal(noon.Truncate(time.Millisecond)) {
			t.Errorf("the right code gave %+v", right)
		}
		if state := h.look(); !state.Verified || state.Live || state.Locked {
			t.Errorf("a verified challenge looks like %+v", state)
		}
		// The wrong guess of before stays counted, the right one does not.
		wrong := h.wrongToday()
		if wrong != 1 {
			t.Errorf("%d wrong guesses are counted for the phone; expected 1", wrong)
		}
		if res := h.mustOpen("again", domain.OpenDone); res.ID != "first" {
			t.Errorf("open after success gave %+v", res)
		}
		h.mustCheck("second", h.right, domain.CheckUsed)
		h.mustCheck("third", "wrong", domain.CheckUsed)
		if h.wrongToday() != 1 {
			t.Error("guesses after success were counted")
		}
	})
}

// wrongToday is the phone's counter, as stored.
func (h *talk) wrongToday() int {
	h.t.Helper()
	n, err := h.store.Client().HGet(h.t.Context(), h.store.Prefix()+"pc:{"+h.phone+"}:wrong", "n").Int()
	if err != nil {
		return 0
	}
	return n
}

func TestRightCodeLeavesNoTraceInTheDay(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("right", h.right, domain.CheckRight)
		if n := s.Client().Exists(t.Context(), s.Prefix()+"pc:{"+h.phone+"}:wrong").Val(); n != 0 {
			t.Error("a phone without a wrong guess has a counter of wrong guesses")
		}
	})
}

func TestResendKeepsCodeAndTries(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		first := h.right
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("wrong1", "wrong", domain.CheckWrong)
		h.mustCheck("wrong2", "wrong", domain.CheckWrong)
		h.with("second")
		h.now = noon.Add(4 * time.Minute)
		res := h.mustOpen("resend", domain.OpenSend)
		if res.ID != "first" || res.Sends != 2 || res.State.Left != 1 {
			t.Errorf("the resend gave %+v; expected challenge first, 2 sends, 1 try left", res)
		}
		if res.State.Expires != 5*time.Minute {
			t.Errorf("after a resend the code lives %v; expected its whole lifetime", res.State.Expires)
		}
		h.mustCheck("never sent", h.right, domain.CheckWrong)
		h.mustCheck("right", first, domain.CheckLocked)

		other := begin(t, s)
		first = other.right
		other.mustOpen("open", domain.OpenSend)
		other.with("second")
		other.now = noon.Add(time.Minute)
		other.mustOpen("resend", domain.OpenSend)
		sent := other.now
		other.now = noon.Add(5*time.Minute + 30*time.Second)
		if res := other.mustCheck("right", first, domain.CheckRight); !res.SentAt.Equal(sent.Truncate(time.Millisecond)) {
			t.Errorf("the last SMS left at %v; expected %v", res.SentAt, sent)
		}
	})
}

func TestPauseGrows(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		for i, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute} {
			n := strconv.Itoa(i)
			res := h.mustOpen("open"+n, domain.OpenSend)
			if res.Sends != i+1 || res.State.Resend != pause || res.Wait != 0 {
				t.Errorf("SMS %d: %+v; expected a pause of %v", i+1, res, pause)
			}
			h.now = h.now.Add(pause - time.Millisecond)
			if res := h.mustOpen("early"+n, domain.OpenWait); res.Wait != time.Millisecond || res.ID != "first" {
				t.Errorf("a moment before the pause is over: %+v", res)
			}
			h.now = h.now.Add(time.Millisecond)
		}
		// An hour after the last SMS the pauses begin anew.
		h.now = h.now.Add(-2*time.Minute + time.Hour)
		if res := h.mustOpen("later", domain.OpenSend); res.State.Resend != 30*time.Second {
			t.Errorf("an hour later the pause is %v; expected 30s", res.State.Resend)
		}
	})
}

func TestBudgetsBelongToThePhone(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		for i := range 3 {
			h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong)
		}
		// Another visit of another advisor: the pause runs, the guesses stay spent.
		h.visit, h.now = 8, noon.Add(29*time.Second)
		h.with("second")
		if res := h.mustOpen("open8", domain.OpenWait); res.Wait != time.Second || res.ID != "" {
			t.Errorf("a new visit gave %+v", res)
		}
		h.now = noon.Add(30 * time.Second)
		if res := h.mustOpen("open8", domain.OpenSend); res.ID != "second" || res.Sends != 1 || res.State.Left != 2 || res.State.Resend != time.Minute {
			t.Errorf("a new visit gave %+v; expected a challenge of its own with the 2 guesses that are left today", res)
		}
		if res := h.mustCheck("wrong4", "wrong", domain.CheckWrong); res.Left != 1 {
			t.Errorf("the 4th wrong guess of the day leaves %d; expected 1", res.Left)
		}
		if res := h.mustCheck("wrong5", "wrong", domain.CheckWrong); res.Left != 0 {
			t.Errorf("the 5th wrong guess of the day leaves %d; expected 0", res.Left)
		}
		wait := 24*time.Hour - 30*time.Second
		if res := h.mustCheck("right", h.right, domain.CheckDay); res.Wait != wait {
			t.Errorf("the day returns in %v; expected %v", res.Wait, wait)
		}
		h.now = noon.Add(10 * time.Minute)
		wait = 24*time.Hour - 10*time.Minute
		if res := h.mustOpen("open9", domain.OpenLocked); res.Wait != wait || res.State.DayLock != wait {
			t.Errorf("open on a spent day gave %+v; expected to wait %v", res, wait)
		}
		h.visit = 9
		h.mustOpen("open10", domain.OpenLocked)
		// The window is fixed: it ends a day after the first wrong guess.
		h.now = noon.Add(24*time.Hour - time.Millisecond)
		h.mustOpen("open11", domain.OpenLocked)
		h.now = noon.Add(24 * time.Hour)
		if res := h.mustOpen("open12", domain.OpenSend); res.State.Left != 3 || res.State.DayLock != 0 {
			t.Errorf("the next day gave %+v", res)
		}
		h.mustCheck("right", h.right, domain.CheckRight)
	})
}

func TestLockedChallengeIsReplacedWhileTheDayLasts(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		first := h.right
		h.mustOpen("open", domain.OpenSend)
		for i := range 3 {
			h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong)
		}
		h.with("second")
		h.now = noon.Add(30 * time.Second)
		if res := h.mustOpen("new", domain.OpenSend); res.ID != "second" || res.Sends != 1 || res.State.Left != 2 || res.State.Locked {
			t.Errorf("open after a lock gave %+v", res)
		}
		// The code of the locked challenge is dead.
		h.mustCheck("old", first, domain.CheckWrong)
		h.mustCheck("wrong9", "wrong", domain.CheckWrong)
		h.mustCheck("right", h.right, domain.CheckDay)
		if h.compared() != 2 {
			t.Errorf("%d guesses were compared; expected 2", h.compared())
		}
		h.now = noon.Add(5 * time.Minute)
		h.mustOpen("third", domain.OpenLocked)
	})
}

func TestRepeatedRequestsCountOnce(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		for range 3 {
			if res := h.mustOpen("open", domain.OpenRepeated); res.Sends != 1 || res.ID != "first" {
				t.Errorf("a repeated open gave %+v", res)
			}
		}
		h.now = noon.Add(31 * time.Second)
		h.mustOpen("open", domain.OpenRepeated)
		first := h.mustCheck("wrong", "wrong", domain.CheckWrong)
		for range 5 {
			if res := h.mustCheck("wrong", "wrong", domain.CheckWrong); !res.Repeated || res.Left != first.Left || res.ID != first.ID {
				t.Errorf("a repeated check gave %+v; expected %+v once more", res, first)
			}
		}
		// Another code is another guess, whatever the form's id says.
		if res := h.mustCheck("wrong", "wrong too", domain.CheckWrong); res.Repeated || res.Left != 1 {
			t.Errorf("another code under the same request gave %+v", res)
		}
		h.mustCheck("right", h.right, domain.CheckRight)
		// Each counted answer is remembered, not only the last.
		if res := h.mustCheck("wrong", "wrong", domain.CheckWrong); !res.Repeated {
			t.Errorf("a repeated check gave %+v", res)
		}
		if res := h.mustCheck("right", h.right, domain.CheckRight); !res.Repeated {
			t.Errorf("a repeated right code gave %+v", res)
		}
		if h.compared() != 3 || h.wrongToday() != 2 {
			t.Errorf("%d compares and %d wrong guesses; expected 3 and 2", h.compared(), h.wrongToday())
		}
		// Forms without an id are never taken for each other.
		other := begin(t, s)
		other.mustOpen("", domain.OpenSend)
		other.mustOpen("", domain.OpenWait)
		other.mustCheck("", "wrong", domain.CheckWrong)
		if res := other.mustCheck("", "wrong", domain.CheckWrong); res.Repeated {
			t.Errorf("a check without a request id gave %+v", res)
		}
	})
}

func TestExpiryByTheClock(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		if res := h.mustCheck("early", h.right, domain.CheckExpired); res.ID != "" || !res.SentAt.IsZero() {
			t.Errorf("a check without a challenge gave %+v", res)
		}
		h.mustOpen("open", domain.OpenSend)
		h.now = noon.Add(5*time.Minute - time.Millisecond)
		if state := h.look(); !state.Live || state.Expires != time.Millisecond {
			t.Errorf("a moment before its end the challenge looks like %+v", state)
		}
		h.now = noon.Add(5 * time.Minute)
		h.mustCheck("late", h.right, domain.CheckExpired)
		if state := h.look(); state.Live || state.Locked || state.Verified || state.Left != 0 {
			t.Errorf("an expired challenge looks like %+v", state)
		}
		if h.wrongToday() != 0 || h.compared() != 0 {
			t.Error("a guess at an expired challenge was counted")
		}
		first := h.right
		h.with("second")
		if res := h.mustOpen("new", domain.OpenSend); res.ID != "second" || res.Sends != 1 {
			t.Errorf("open after the end gave %+v", res)
		}
		h.mustCheck("old code", first, domain.CheckWrong)
		h.mustCheck("new code", h.right, domain.CheckRight)
		// Long after, nothing of the visit is left to decide with.
		h.now = noon.Add(time.Hour)
		h.with("third")
		if state := h.look(); state.Verified || state.Sends != 0 {
			t.Errorf("a forgotten challenge looks like %+v", state)
		}
		h.mustCheck("new code", h.right, domain.CheckExpired)
		// The third challenge inherits nothing from the second, whose record may still lie there.
		if res := h.mustOpen("third", domain.OpenSend); res.ID != "third" || !res.State.Live || res.State.Verified || res.State.Left != 3 || h.compared() != 0 {
			t.Errorf("open after a forgotten challenge gave %+v", res)
		}
		if res := h.mustCheck("new code", h.right, domain.CheckRight); res.Repeated {
			t.Errorf("the right code of the third challenge gave %+v", res)
		}
	})
}

func TestLimitsThatAreMissingAreNoLicence(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		none := h.checkRequest("none", h.right)
		none.Tries = 0
		if res, err := s.Challenges().Check(t.Context(), none); err != nil || res.Verdict != domain.CheckLocked {
			t.Errorf("no tries per challenge gave %+v, %v", res, err)
		}
		none.Tries, none.TriesPerDay = 3, 0
		if res, err := s.Challenges().Check(t.Context(), none); err != nil || res.Verdict != domain.CheckDay {
			t.Errorf("no tries per day gave %+v, %v", res, err)
		}
		open := h.openRequest("none")
		open.ResendAfter = nil
		if res, err := s.Challenges().Open(t.Context(), open); err == nil {
			t.Errorf("no pauses gave %+v", res)
		}
	})
}

func TestKeysOfAPhoneShareOneSlot(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("wrong", "wrong", domain.CheckWrong)
		found := keys(t, s)
		if len(found) != 3 {
			t.Errorf("the keys are %v; expected challenge, pace and wrong guesses", found)
		}
		for _, key := range found {
			if !strings.HasPrefix(key, s.Prefix()+"pc:{"+h.phone+"}:") {
				t.Errorf("%s has another hash tag", key)
			}
		}
	})
}
