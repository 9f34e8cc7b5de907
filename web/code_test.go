package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"prilavok/domain"
	"prilavok/views"
)

// russian is what a person is told in Russian; a number chooses the plural.
func russian(t testing.TB, key string, count ...int) string {
	t.Helper()
	ctx := views.WithLanguage(context.Background(), views.Russian)
	text := domain.Say(key)
	if len(count) > 0 {
		text = domain.Say(key, "Count", count[0])
	}
	out := views.Say(ctx, text)
	if out == key || out == "" {
		t.Fatalf("no text %s", key)
	}
	// As text() reads a page: a no-break space is a space.
	return strings.Join(strings.Fields(out), " ")
}

func TestCodes(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "CODE_RESEND_AFTER=1s")...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		sent := func(phone string) (visit, step, code string) {
			visit = c.walk(p, customer{phone: phone}, domain.StepCode)
			c.sendCode(visit)
			return visit, visit + "/code", p.codes(phone)[0]
		}

		t.Run("three wrong ones, then the right one", func(t *testing.T) {
			visit, step, code := sent("+79165000001")
			for left := 2; left >= 0; left-- {
				want := russian(t, "code.locked")
				if left > 0 {
					want = russian(t, "code.wrong", left)
				}
				a := c.send(step, step+"/checks", "code", wrong(code, left+1))
				if a.Status != http.StatusUnprocessableEntity || !strings.Contains(c.screen(a).text(), want) {
					t.Errorf("%d left: %d\n%s", left, a.Status, c.screen(a).text())
				}
			}
			// An old tab still has the field.
			a := c.post(step+"/checks", "request_id", "old tab", "code", code)
			if a.Status != http.StatusUnprocessableEntity || !strings.Contains(c.screen(a).text(), russian(t, "code.locked")) {
				t.Errorf("the right one after three wrong ones: %d → %q\n%s", a.Status, a.Location, c.screen(a).text())
			}
			if got := db.rows(`SELECT * FROM verifications WHERE visit_id = $1`, idOf(visit)); len(got) > 0 {
				t.Errorf("verified all the same: %q", got)
			}
			// There is a way on all the same.
			c.goesTo(c.send(step, step+"/skips"), visit+"/promo")
		})

		t.Run("malformed ones are not counted", func(t *testing.T) {
			visit, step, code := sent("+79165000002")
			for _, typed := range []string{"", " ", "12", "12345", "12a4", "код", "１２"} {
				key := "code.malformed"
				if strings.TrimSpace(typed) == "" {
					key = "code.empty"
				}
				a := c.send(step, step+"/checks", "code", typed)
				if a.Status != http.StatusUnprocessableEntity || !strings.Contains(c.screen(a).text(), russian(t, key, 4)) {
					t.Errorf("%q: %d\n%s", typed, a.Status, c.screen(a).text())
				}
			}
			if got := db.rows(`SELECT * FROM code_attempts WHERE visit_id = $1 AND kind = 'check'`, idOf(visit)); len(got) > 0 {
				t.Errorf("counted: %q", got)
			}
			// However it is spaced, the right one is right.
			c.goesTo(c.send(step, step+"/checks", "code", " "+code[:2]+"-"+code[2:]+" "), step)
			if got := db.rows(`SELECT verdict FROM code_attempts WHERE visit_id = $1 AND kind = 'check'`, idOf(visit)); !slices.Equal(got, []string{"right"}) {
				t.Errorf("checks on record: %q", got)
			}
		})

		t.Run("a code is good for its visit and phone only", func(t *testing.T) {
			_, _, code := sent("+79165000003")
			_, step, own := sent("+79165000004")
			if code != own { // one pair in ten thousand is equal
				if a := c.send(step, step+"/checks", "code", code); a.Status != http.StatusUnprocessableEntity {
					t.Errorf("another customer's code: %d → %q", a.Status, a.Location)
				}
			}
			// The phone is changed while the old number's code is on its way.
			visit := strings.TrimSuffix(step, "/code")
			c.goesTo(c.send(visit+"/contact", visit+"/contact", "phone", "+79165000005"), step)
			a := c.post(step+"/checks", "request_id", "old tab", "code", own)
			if a.Status != http.StatusUnprocessableEntity {
				t.Errorf("the old number's code: %d → %q", a.Status, a.Location)
			}
			c.verify(p, visit, "+79165000005")
			// A changed number is not a verified one.
			c.goesTo(c.send(visit+"/contact", visit+"/contact", "phone", "+79165000006"), step)
			if got := db.one(`SELECT coalesce(CAST(verified_at AS TEXT), 'no') FROM visits WHERE id = $1`, idOf(visit)); got != "no" {
				t.Errorf("a changed number counts as verified: %s", got)
			}
		})

		t.Run("five wrong ones a day, over all visits", func(t *testing.T) {
			const phone = "+79165000007"
			for round, guesses := range []int{3, 2} {
				_, step, code := sent(phone)
				for n := range guesses {
					if a := c.send(step, step+"/checks", "code", wrong(code, n+1)); a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusTooManyRequests {
						t.Errorf("round %d: %d", round, a.Status)
					}
				}
			}
			other := inspect(p.as("timur"))
			visit := other.walk(p, customer{phone: "8 (916) 500-00-07"}, domain.StepCode)
			a := other.post(visit+"/code/sends", "request_id", "a sixth guess")
			if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
				t.Errorf("another advisor, another spelling: %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
			}
			other.goesTo(other.send(visit+"/code", visit+"/code/skips"), visit+"/promo")
		})
	})
}

// Without a consent to messages nothing is sent, whatever a form says.
func TestNoConsentToMessages(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		const phone = "+79165100001"
		visit := c.walk(p, customer{phone: phone, silent: true}, domain.StepPromo)
		for _, tail := range []string{"/code/sends", "/code/checks"} {
			c.goesTo(c.post(visit+tail, "request_id", "forged", "code", "1234"), visit+"/promo")
		}
		c.goesTo(c.get(visit+"/code"), visit+"/promo")
		if texts := p.texts(phone); len(texts) > 0 {
			t.Errorf("sent: %q", texts)
		}
		if got := db.rows(`SELECT * FROM code_attempts WHERE visit_id = $1`, idOf(visit)); len(got) > 0 {
			t.Errorf("on record: %q", got)
		}
		if text := c.screen(c.get(visit + "/promo")).text(); !strings.Contains(text, russian(t, "promo.no_code")) {
			t.Errorf("the screen does not say why: %s", text)
		}
		// The consent that is taken back later stops the code as well.
		visit = c.walk(p, customer{phone: "+79165100002"}, domain.StepCode)
		c.goesTo(c.consent(visit, true, false), visit+"/promo")
		c.goesTo(c.post(visit+"/code/sends", "request_id", "forged again"), visit+"/promo")
		if texts := p.texts("+79165100002"); len(texts) > 0 {
			t.Errorf("sent: %q", texts)
		}
	})
}
