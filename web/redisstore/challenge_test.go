package redisstore_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

func TestPhoneCode_03_ThreeWrongCodesLockTheRightOne(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		for i, left := range []int{2, 1, 0} {
			if res := h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong); res.Left != left || res.ID != "first" || res.Repeated || res.Limit.Name != "" {
				t.Errorf("after %d wrong codes: %+v; expected %d left", i+1, res, left)
			}
		}
		h.mustCheck("right", h.right, domain.CheckLocked)
		if state := h.look(); !state.Locked || state.Live || state.Verified || state.Left != 0 {
			t.Errorf("a locked challenge looks like %+v", state)
		}
		if h.compared() != 3 || h.counted() != 3 {
			t.Errorf("%d guesses were compared and %d counted; expected 3", h.compared(), h.counted())
		}
	})
}

func TestPhoneCode_03_FiveWrongCodesLockThePhone(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		for i := range 3 {
			h.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong)
		}
		h.with("second")
		h.now = noon.Add(30 * time.Second)
		if res := h.mustOpen("new", domain.OpenSend); res.ID != "second" || res.Sends != 1 || res.State.Left != 2 || res.State.Locked {
			t.Errorf("open after a lock gave %+v; expected a challenge with the 2 guesses that the phone has left", res)
		}
		if res := h.mustCheck("wrong4", "wrong", domain.CheckWrong); res.Left != 1 || res.Limit.Name != "" {
			t.Errorf("the 4th wrong guess gave %+v; expected 1 left", res)
		}
		// The 5th meets both limits of the phone; the one with the longer wait is named.
		if res := h.mustCheck("wrong5", "wrong", domain.CheckWrong); res.Left != 0 || res.Limit != (domain.Limit{Name: domain.LimitPhoneLock, Wait: day}) {
			t.Errorf("the 5th wrong guess gave %+v; expected a lock of a day", res)
		}
		h.now = noon.Add(time.Minute)
		lock := domain.Limit{Name: domain.LimitPhoneLock, Wait: day - 30*time.Second}
		if res := h.mustCheck("right", h.right, domain.CheckLimited); res.Limit != lock || res.Left != 0 {
			t.Errorf("the right code on a locked phone gave %+v", res)
		}
		if res := h.mustCheck("wrong5", "wrong", domain.CheckWrong); !res.Repeated || res.Limit != lock {
			t.Errorf("the 5th wrong guess once more gave %+v", res)
		}
		if state := h.look(); state.Live || state.Left != 0 || state.Barred != lock || state.Silent.Name != "" {
			t.Errorf("a locked phone looks like %+v", state)
		}
		h.now = noon.Add(10 * time.Minute)
		lock.Wait = day - 9*time.Minute - 30*time.Second
		if res := h.mustOpen("locked", domain.OpenLimited); res.Limit != lock || res.State.Barred != lock {
			t.Errorf("open on a locked phone gave %+v", res)
		}
		if h.compared() != 2 || h.counted() != 5 {
			t.Errorf("%d guesses were compared and %d counted; expected 2 and 5", h.compared(), h.counted())
		}
		h.now = noon.Add(30*time.Second + day - time.Millisecond)
		h.mustOpen("early", domain.OpenLimited)
		h.now = noon.Add(30*time.Second + day)
		h.with("third")
		if res := h.mustOpen("next day", domain.OpenSend); res.State.Left != 3 || res.State.Barred.Name != "" {
			t.Errorf("the next day gave %+v", res)
		}
		h.mustCheck("right", h.right, domain.CheckRight)
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
		if h.counted() != 1 {
			t.Errorf("%d wrong guesses are counted; expected 1", h.counted())
		}
		if res := h.mustOpen("again", domain.OpenDone); res.ID != "first" {
			t.Errorf("open after success gave %+v", res)
		}
		h.mustCheck("second", h.right, domain.CheckUsed)
		h.mustCheck("third", "wrong", domain.CheckUsed)
		if h.counted() != 1 {
			t.Error("guesses after success were counted")
		}
	})
}

func TestRightCodeLeavesNoTraceInTheBudgets(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("right", h.right, domain.CheckRight)
		for _, key := range keys(t, s) {
			if strings.Contains(key, ":wrong:") {
				t.Errorf("without a wrong guess there is %s", key)
			}
		}
	})
}

func TestPhoneCode_04_ResendKeepsCodeAndTries(t *testing.T) {
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

func TestPhoneCode_04_BudgetsOutliveVisitsAndSuccess(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("wrong1", "wrong", domain.CheckWrong)
		h.mustCheck("wrong2", "wrong", domain.CheckWrong)
		h.mustCheck("right", h.right, domain.CheckRight)
		// Another visit of another advisor in another store: the pause runs, the phone's guesses stay spent.
		elsewhere := h.elsewhere()
		elsewhere.visit, elsewhere.advisor, elsewhere.shop, elsewhere.address = 8, "other", "other", "other"
		elsewhere.now = noon.Add(29 * time.Second)
		elsewhere.with("second")
		if res := elsewhere.mustOpen("open8", domain.OpenWait); res.Wait != time.Second || res.ID != "" {
			t.Errorf("a new visit gave %+v", res)
		}
		elsewhere.now = noon.Add(30 * time.Second)
		elsewhere.caps[domain.LimitPhoneDay], elsewhere.caps[domain.LimitPhoneLock] = 4, 4
		if res := elsewhere.mustOpen("open8", domain.OpenSend); res.ID != "second" || res.Sends != 1 || res.State.Left != 2 || res.State.Resend != time.Minute {
			t.Errorf("a new visit gave %+v; expected a challenge of its own with the 2 guesses that the phone has left", res)
		}
		// Another phone of the same advisor: of 10 guesses 8 are left, whatever the first phone did after.
		invented := h.elsewhere()
		invented.phone, invented.visit = "invented", 9
		invented.tries = 100
		invented.caps = map[domain.LimitName]int{
			domain.LimitPhoneDay: 100, domain.LimitPhoneLock: 100, domain.LimitAdvisor: 10, domain.LimitStore: 50,
			domain.LimitSendPhone: 5, domain.LimitSendAdvisor: 2, domain.LimitSendAddress: 60,
		}
		if res := invented.mustOpen("open9", domain.OpenSend); res.State.Left != 8 {
			t.Errorf("another phone of the same advisor gave %+v; expected 8 guesses left", res)
		}
		for i := range 8 {
			res := invented.mustCheck("wrong"+strconv.Itoa(i), "wrong", domain.CheckWrong)
			if named := res.Limit.Name == domain.LimitAdvisor; named != (i == 7) || res.Left != 7-i {
				t.Errorf("guess %d of the second phone gave %+v", i+1, res)
			}
		}
		// A success on a third phone gives the advisor nothing back; it is not even judged.
		third := h.elsewhere()
		third.phone, third.visit = "third", 10
		if res := third.mustOpen("open10", domain.OpenLimited); res.Limit.Name != domain.LimitAdvisor || res.Limit.Wait != day {
			t.Errorf("a third phone of the same advisor gave %+v", res)
		}
		// The SMS of two phones are counted together too.
		invented.advisor = "other"
		invented.caps[domain.LimitSendPhone] = 1
		if res := invented.mustOpen("open11", domain.OpenLimited); res.Limit.Name != domain.LimitSendPhone {
			t.Errorf("a second SMS to a phone that may have one gave %+v", res)
		}
	})
}

func TestPauseGrows(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.caps[domain.LimitSendPhone] = 6
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
		// An hour after the last SMS the pauses begin anew, and the SMS of the day go on being counted.
		last := h.now.Add(-2*time.Minute + hour)
		h.now = last
		h.with("second")
		if res := h.mustOpen("later", domain.OpenSend); res.State.Resend != 30*time.Second || res.State.Silent.Name != domain.LimitSendPhone {
			t.Errorf("an hour later: %+v; expected a pause of 30s and no further SMS", res)
		}
		h.now = last.Add(time.Minute)
		silent := domain.Limit{Name: domain.LimitSendPhone, Wait: noon.Add(day).Sub(h.now)}
		if res := h.mustOpen("too many", domain.OpenLimited); res.Limit != silent || res.State.Silent != silent || res.State.Barred.Name != "" || !res.State.Live {
			t.Errorf("a 7th SMS gave %+v; expected %+v", res, silent)
		}
		h.now = noon.Add(day)
		h.mustOpen("next day", domain.OpenSend)
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
		if h.counted() != 0 || h.compared() != 0 {
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

func TestPhoneCode_16_WhatIsNotComparedTellsNothing(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		for name, tt := range map[string]struct {
			prepare func(h *talk)
			want    domain.CheckVerdict
		}{
			"unknown": {func(*talk) {}, domain.CheckExpired},
			"expired": {func(h *talk) {
				h.mustOpen("open", domain.OpenSend)
				h.now = noon.Add(5 * time.Minute)
			}, domain.CheckExpired},
			"forgotten": {func(h *talk) {
				h.mustOpen("open", domain.OpenSend)
				h.now = noon.Add(hour)
			}, domain.CheckExpired},
			"locked": {func(h *talk) {
				h.mustOpen("open", domain.OpenSend)
				h.tries = 0
			}, domain.CheckLocked},
			"limited": {func(h *talk) {
				h.mustOpen("open", domain.OpenSend)
				h.caps[domain.LimitStore] = 0
			}, domain.CheckLimited},
			"used": {func(h *talk) {
				h.mustOpen("open", domain.OpenSend)
				h.mustCheck("success", h.right, domain.CheckRight)
			}, domain.CheckUsed},
		} {
			h := begin(t, s)
			tt.prepare(h)
			before := snapshot(t, s)
			wrong, right := h.mustCheck("wrong", "wrong", tt.want), h.mustCheck("right", h.right, tt.want)
			if wrong != right {
				t.Errorf("%s: a wrong code gave %+v, the right one %+v", name, wrong, right)
			}
			if wrong.Left != 0 || wrong.Repeated {
				t.Errorf("%s: %+v", name, wrong)
			}
			if after := snapshot(t, s); after != before {
				t.Errorf("%s: what was not compared was counted:\n%s\nand before\n%s", name, after, before)
			}
		}
	})
}

func TestPhoneCode_17_RepeatedRequestsCountOnce(t *testing.T) {
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
		if n := recorded(t, s, h.sends()[0]); n != 1 {
			t.Errorf("%d SMS are counted; expected 1", n)
		}
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
		if h.compared() != 3 || h.counted() != 2 {
			t.Errorf("%d compares and %d wrong guesses; expected 3 and 2", h.compared(), h.counted())
		}
		// What has no name would be taken for anything else without one.
		open, check := h.openRequest("nameless"), h.checkRequest("nameless", "wrong")
		open.Event, check.Event = "", ""
		if _, err := s.Challenges().Open(t.Context(), open); err == nil {
			t.Error("an SMS without an event was judged")
		}
		if _, err := s.Challenges().Check(t.Context(), check); err == nil {
			t.Error("a guess without an event was judged")
		}
	})
}

func TestOneSlotHoldsCodesAndLimits(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("wrong", "wrong", domain.CheckWrong)
		found := keys(t, s)
		if len(found) != 9 {
			t.Errorf("the keys are %v; expected marker, challenge, pace, 3 of wrong guesses and 3 of SMS", found)
		}
		for _, key := range found {
			if !strings.HasPrefix(key, s.Prefix()+"pc:{codes}:") {
				t.Errorf("%s has another hash tag", key)
			}
		}
	})
}
