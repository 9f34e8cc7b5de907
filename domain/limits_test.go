package domain_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
)

// asked takes a visit to the code step and sends a code; it gives the code.
func (w *world) asked(a domain.Actor, phone string) (domain.Visit, string) {
	w.t.Helper()
	v := w.contacted(a, phone)
	w.must(w.SendCode(w.t.Context(), a, v.ID, w.request()))
	return v, codePattern.FindString(w.sms.Last(v.Phone))
}

// not gives a code that differs from the right one.
func not(code string) string {
	return code[:len(code)-1] + string('0'+(code[len(code)-1]-'0'+1)%10)
}

// guess types a code and gives what the error says: the key of its message or
// of its field, empty for a right code.
func (w *world) guess(a domain.Actor, v domain.Visit, code string) string {
	w.t.Helper()
	_, err := w.CheckCode(w.t.Context(), a, v.ID, w.request(), code)
	return said(err)
}

func said(err error) string {
	if f, ok := domain.FieldsOf(err)["code"]; ok {
		return f.Key
	}
	var e *domain.Error
	if errors.As(err, &e) {
		return e.Message.Key
	}
	return fmt.Sprint(err)[:0]
}

func (w *world) wrongTimes(a domain.Actor, v domain.Visit, code string, n int) (last string) {
	w.t.Helper()
	for range n {
		last = w.guess(a, v, not(code))
	}
	return last
}

// A new SMS, another visit, another advisor, and a success of the same phone
// give no guess back.
func TestPhoneCode_04_NothingGivesAGuessBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeTries = 5
		v, code := w.asked(w.anna, phoneA)
		w.wrongTimes(w.anna, v, code, 1)
		w.clock.Add(time.Minute)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request())) // the same code again
		w.wrongTimes(w.anna, v, code, 1)
		if got := w.guess(w.anna, v, code); got != "" {
			t.Fatalf("the right code: %s", got)
		}
		w.clock.Add(2 * time.Minute)
		v, code = w.asked(w.timur, phoneA) // another visit, advisor and store
		if got := w.wrongTimes(w.timur, v, code, 2); got != "code.wrong" {
			t.Errorf("the fourth wrong code: %s", got)
		}
		if got := w.wrongTimes(w.timur, v, code, 1); got != "limit.phone_lock" && got != "limit.phone_day" {
			t.Errorf("the fifth wrong code: %s", got)
		}
		if got := w.guess(w.timur, v, code); got != "limit.phone_lock" && got != "limit.phone_day" {
			t.Errorf("the right code after five wrong ones: %s", got)
		}
		if _, err := w.SendCode(t.Context(), w.timur, v.ID, w.request()); domain.KindOf(err) != domain.Limited {
			t.Errorf("an SMS whose code nobody may type: %v", err)
		}
		if _, state, err := w.CodeState(t.Context(), w.timur, v, domain.EntryAdvisor); err != nil || state.Barred.Name == "" || state.Live {
			t.Errorf("the screen: %+v, %v", state, err)
		}
	})
}

// Who invents customers has many phones: the advisor's own budget ends that.
func TestAdvisorsBudget(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeTriesPerAdvisor = 4
		for i := range 2 {
			v, code := w.asked(w.anna, fmt.Sprintf("+791600001%02d", i))
			w.wrongTimes(w.anna, v, code, 2)
		}
		v := w.contacted(w.anna, "+79160000199")
		_, err := w.SendCode(t.Context(), w.anna, v.ID, w.request())
		if said(err) != "limit.advisor" {
			t.Fatalf("the advisor's fifth guess: %v", err)
		}
		// Another advisor, in another store, goes on.
		other, code := w.asked(w.timur, "+79160000199")
		if got := w.guess(w.timur, other, code); got != "" {
			t.Errorf("another advisor: %s", got)
		}
		w.clock.Add(24*time.Hour + time.Second)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
	})
}

// A store's budget is everybody's who works there.
func TestStoresBudget(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeTriesPerStore = 3
		both := w.set.Actor(w.set.BothAdvisor, w.set.Moscow)
		v, code := w.asked(w.anna, phoneA)
		w.wrongTimes(w.anna, v, code, 2)
		v, code = w.asked(both, phoneB)
		if got := w.wrongTimes(both, v, code, 1); got != "code.wrong" && got != "limit.store" {
			t.Errorf("the store's third: %s", got)
		}
		if got := w.guess(both, v, code); got != "limit.store" {
			t.Errorf("the store's fourth: %s", got)
		}
		elsewhere := w.set.Actor(w.set.BothAdvisor, w.set.Ural)
		v, code = w.asked(elsewhere, "+79160000004")
		if got := w.guess(elsewhere, v, code); got != "" {
			t.Errorf("the other store: %s", got)
		}
	})
}

// Each lock of a phone is longer than the one before, over months.
func TestLocksGrow(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeTriesPerAdvisor = 1000
		w.Settings.VisitAbandonedAfter = 1000 * time.Hour
		for n, lock := range []time.Duration{24 * time.Hour, 72 * time.Hour, 168 * time.Hour, 720 * time.Hour} {
			for left := 5; left > 0; left -= min(left, 3) {
				v, code := w.asked(w.anna, phoneA)
				w.wrongTimes(w.anna, v, code, min(left, 3))
				w.clock.Add(5 * time.Minute)
			}
			v := w.contacted(w.anna, phoneA)
			_, state, err := w.CodeState(t.Context(), w.anna, v, domain.EntryAdvisor)
			if err != nil || state.Barred.Name == "" {
				t.Fatalf("lock %d: %+v, %v", n+1, state, err)
			}
			if got := state.Barred.Wait; got > lock || got < lock-15*time.Minute {
				t.Errorf("lock %d lasts %v, want about %v", n+1, got, lock)
			}
			w.clock.Add(state.Barred.Wait + time.Second)
		}
	})
}

func TestSendBudgets(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.contacted(w.anna, phoneA)
		for range 5 {
			w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
			w.clock.Add(3 * time.Minute)
		}
		sent := len(w.sms.Sent())
		_, err := w.SendCode(t.Context(), w.anna, v.ID, w.request())
		if said(err) != "limit.send_phone" || len(w.sms.Sent()) != sent {
			t.Errorf("the sixth SMS of a day: %v", err)
		}
		// Elsewhere it is the same phone, and the screen says so before a press.
		other := w.contacted(w.timur, phoneA)
		if _, state, err := w.CodeState(t.Context(), w.timur, other, domain.EntryAdvisor); err != nil || state.Silent.Name != domain.LimitSendPhone {
			t.Errorf("%+v, %v", state, err)
		}
		w.Settings.CodeSendsPerAdvisor = 6
		w.must(w.SendCode(t.Context(), w.anna, w.contacted(w.anna, phoneB).ID, w.request()))
		if _, err := w.SendCode(t.Context(), w.anna, w.contacted(w.anna, "+79160000005").ID, w.request()); said(err) != "limit.send_advisor" {
			t.Errorf("the advisor's seventh SMS in an hour: %v", err)
		}
		rows, err := w.DB.CodeAttempts(t.Context(), v.ID)
		if last := rows[len(rows)-1]; err != nil || len(rows) != 6 || last.Verdict != "limited" || last.LimitMet != domain.LimitSendPhone {
			t.Errorf("rows %+v, %v", rows, err)
		}
	})
}

// Nobody gets round a limit on addresses by having none, or by changing it.
func TestPhoneCode_13_AMissingAddressSwitchesNothingOff(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeSendsPerAddress = 2
		for _, address := range []string{"", "192.0.2.1"} {
			a := w.anna
			a.Address = address
			for i := range 2 {
				w.must(w.SendCode(t.Context(), a, w.contacted(a, fmt.Sprintf("+791600002%02d", i+len(address))).ID, w.request()))
			}
			_, err := w.SendCode(t.Context(), a, w.contacted(a, "+79160000300").ID, w.request())
			if said(err) != "limit.send_address" {
				t.Errorf("the third SMS from %q: %v", address, err)
			}
		}
	})
}

func TestPhoneCode_15_AllSpellingsAreOneCounter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		spellings := []string{"+7 916 000-00-02", "8 (916) 000 00 02", "9160000002", "79160000002"}
		for i, phone := range spellings {
			v := w.contacted(w.anna, phone)
			_, err := w.SendCode(t.Context(), w.anna, v.ID, w.request())
			if i == 0 && err != nil || i > 0 && said(err) != "code.wait" {
				t.Errorf("%q: %v", phone, err)
			}
		}
		if n := len(w.sms.Sent()); n != 1 {
			t.Errorf("%d SMS", n)
		}
	})
}

// The gateway accepts, fails, or leaves it open: no SMS goes twice for one
// press, no code is lost, and each is on record.
func TestPhoneCode_11_TheGateway(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.contacted(w.anna, phoneA)
		w.sms.Fail(&domain.SMSError{Err: errors.New("refused")})
		form := w.request()
		if _, err := w.SendCode(t.Context(), w.anna, v.ID, form); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("a gateway that refuses: %v", err)
		}
		w.sms.Fail(nil)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, form)) // the browser asks again
		if n := len(w.sms.Sent()); n != 0 {
			t.Errorf("the same press sent %d SMS", n)
		}
		w.clock.Add(time.Minute)
		w.sms.Fail(&domain.SMSError{Fault: domain.SMSAmbiguous, Err: context.DeadlineExceeded})
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request())) // it may have left: the field is shown
		w.sms.Fail(nil)
		w.clock.Add(2 * time.Minute)
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		if got := w.guess(w.anna, v, codePattern.FindString(w.sms.Last(phoneA))); got != "" {
			t.Errorf("the code: %s", got)
		}
		rows, err := w.DB.CodeAttempts(t.Context(), v.ID)
		var verdicts []string
		for _, r := range rows {
			verdicts = append(verdicts, r.Verdict)
		}
		if fmt.Sprint(verdicts) != "[failed unclear send right]" || err != nil {
			t.Errorf("on record: %v, %v", verdicts, err)
		}
	})
}

// A Redis that was emptied, or a new one, is filled from the rows: whatever
// was refused before is refused after, and nothing else.
func TestLimitsSurviveALostRedis(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeTriesPerAdvisor, w.Settings.CodeTriesPerStore = 14, 16
		w.Settings.CodeSendsPerAdvisor = 9
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		dice := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // printed and repeatable
		type open struct {
			a    domain.Actor
			v    domain.Visit
			code string
		}
		var visits []open
		for i := range 8 {
			a := []domain.Actor{w.anna, w.timur}[i%2]
			visits = append(visits, open{a: a, v: w.contacted(a, fmt.Sprintf("+7916000040%d", i/2))})
		}
		for range 90 {
			o := &visits[dice.IntN(len(visits))]
			switch dice.IntN(4) {
			case 0:
				_, _ = w.SendCode(t.Context(), o.a, o.v.ID, w.request())
				o.code = codePattern.FindString(w.sms.Last(o.v.Phone))
			case 1:
				w.clock.Add(time.Duration(dice.IntN(90)) * time.Minute)
			default:
				if o.code != "" {
					w.guess(o.a, o.v, not(o.code))
				}
			}
		}
		standing := func() (out []string) {
			for _, o := range visits {
				_, s, err := w.CodeState(t.Context(), o.a, o.v, domain.EntryAdvisor)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, fmt.Sprint(s.Barred, s.Silent))
			}
			return out
		}
		before := standing()
		w.newRedis()
		// Many ask at once, and only one may fill it.
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, _, err := w.CodeState(t.Context(), visits[0].a, visits[0].v, domain.EntryAdvisor); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if after := standing(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("before %v\nafter  %v", before, after)
		}
		if fmt.Sprint(before) == fmt.Sprint(make([]domain.Limit, 8)) {
			t.Error("no limit was met; the test shows nothing")
		}
	})
}

func TestLiftLimit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v, code := w.asked(w.anna, phoneA)
		w.wrongTimes(w.anna, v, code, 3)
		w.clock.Add(10 * time.Minute)
		v, code = w.asked(w.anna, phoneA)
		w.wrongTimes(w.anna, v, code, 2)
		w.clock.Add(time.Minute)

		met, err := w.StandingLimits(t.Context(), w.vera())
		if err != nil || len(met) != 1 || met[0].Phone != phoneA || !met[0].Until.After(w.clock.Now()) {
			t.Fatalf("met %+v, %v", met, err)
		}
		id := met[0].AttemptID
		stranger := domain.Actor{Staff: w.set.Supervisor}
		stranger.Stores = []domain.Store{w.set.Ural}
		for what, err := range map[string]error{
			"an advisor":           w.LiftLimit(t.Context(), w.anna, id, w.request(), "просто так"),
			"a foreign supervisor": w.LiftLimit(t.Context(), stranger, id, w.request(), "просто так"),
			"no reason":            w.LiftLimit(t.Context(), w.vera(), id, w.request(), "  "),
			"no such limit":        w.LiftLimit(t.Context(), w.vera(), id+100, w.request(), "просто так"),
		} {
			if err == nil {
				t.Errorf("%s lifts it", what)
			}
		}
		if got, err := w.StandingLimits(t.Context(), stranger); err != nil || len(got) != 0 {
			t.Errorf("a foreign supervisor sees %+v, %v", got, err)
		}
		if got := w.guess(w.anna, v, code); got != "limit.phone_lock" && got != "limit.phone_day" {
			t.Fatalf("before the lift: %s", got)
		}
		form := w.request()
		for range 2 {
			if err := w.LiftLimit(t.Context(), w.vera(), id, form, " покупатель  рядом "); err != nil {
				t.Fatal(err)
			}
		}
		lifts, err := w.DB.LimitLifts(t.Context(), w.clock.Now().Add(-time.Hour))
		if err != nil || len(lifts) != 1 || lifts[0].Reason != "покупатель рядом" || lifts[0].StaffID != w.set.Supervisor.ID {
			t.Errorf("on record: %+v, %v", lifts, err)
		}
		// It holds in a Redis that knows it from the rows only, too.
		for _, lose := range []bool{false, true} {
			if lose {
				w.newRedis()
			}
			if met, err := w.StandingLimits(t.Context(), w.vera()); err != nil || len(met) != 0 {
				t.Errorf("lost %t: after the lift %+v, %v", lose, met, err)
			}
		}
		w.clock.Add(5 * time.Minute)
		v, code = w.asked(w.anna, phoneA)
		if got := w.guess(w.anna, v, code); got != "" {
			t.Errorf("after the lift: %s", got)
		}
	})
}

// Guessing promo codes ends after so many that do not exist; a slip of the
// finger costs nothing, and a code that exists costs nothing either.
func TestPromoGuesses(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		code := w.referral("+79160000001").Code
		w.Settings.PromoTriesPerAdvisor = 5
		v := w.verified(w.anna, phoneA)
		apply := func(code string) string {
			_, err := w.ApplyPromo(t.Context(), w.anna, v.ID, code)
			if r := reason(err); r != "" {
				return string(r)
			}
			return said(err)
		}
		unknown := func(n int) string { return domain.WithCheckDigit(fmt.Sprintf("%09d", n)) }
		for range 20 {
			if got := apply(not(code)); got != "typo" {
				t.Fatalf("a slip: %s", got)
			}
		}
		for range 7 {
			if got := apply(code); got != "" {
				t.Fatalf("the code itself: %s", got)
			}
		}
		for i := range 4 {
			if got := apply(unknown(i)); got != "unknown" {
				t.Fatalf("unknown code %d: %s", i, got)
			}
		}
		// The quick page draws on the same budget, and all at once.
		var answered, limited atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				_, err := w.LookUpPromo(t.Context(), w.anna, unknown(100+i))
				switch {
				case err == nil:
					answered.Add(1)
				case said(err) == "limit.promo_advisor":
					limited.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if answered.Load() != 1 || limited.Load() != 15 {
			t.Errorf("%d answered, %d limited; want 1 and 15", answered.Load(), limited.Load())
		}
		if got := apply(code); got != "limit.promo_advisor" {
			t.Errorf("the right code after too many wrong ones: %s", got)
		}
		w.newRedis()
		if got := apply(code); got != "limit.promo_advisor" {
			t.Errorf("after Redis was lost: %s", got)
		}
		w.clock.Add(24*time.Hour + time.Second)
		if got := apply(code); got == "limit.promo_advisor" {
			t.Errorf("a day later: %s", got)
		}
	})
}

// What no limit needs any more names no phone.
func TestForgetPhoneKeys(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v, code := w.asked(w.anna, phoneA)
		w.wrongTimes(w.anna, v, code, 1)
		w.clock.Add(119 * 24 * time.Hour)
		if n, err := w.ForgetPhoneKeys(t.Context()); err != nil || n != 0 {
			t.Errorf("after 119 days %d are forgotten, %v", n, err)
		}
		w.clock.Add(2 * 24 * time.Hour)
		if n, err := w.ForgetPhoneKeys(t.Context()); err != nil || n != 2 {
			t.Errorf("after 121 days %d are forgotten, %v", n, err)
		}
	})
}
