package domain

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The worked example of Damm's thesis: 572 has the check digit 4.
func TestDammKnown(t *testing.T) {
	if got := damm("572"); got != '4' {
		t.Errorf("damm(572) = %c, want 4", got)
	}
	if !dammValid("5724") || dammValid("5723") {
		t.Error("5724 must pass and 5723 must not")
	}
}

// What the check digit is there for: every single slip and every swap of
// neighbours on codes drawn at random.
func TestDammCatchesSlips(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same codes at every run, so that a failure can be repeated
	for range 300 {
		nine := fmt.Sprintf("%09d", rng.IntN(1_000_000_000))
		code := []byte(nine + string(damm(nine)))
		if !dammValid(string(code)) {
			t.Fatalf("%s does not check", code)
		}
		for i := range code {
			right := code[i]
			for d := byte('0'); d <= '9'; d++ {
				if code[i] = d; d != right && dammValid(string(code)) {
					t.Fatalf("%s passes with a wrong digit at %d", code, i)
				}
			}
			code[i] = right
			if i > 0 && code[i] != code[i-1] {
				code[i], code[i-1] = code[i-1], code[i]
				if dammValid(string(code)) {
					t.Fatalf("%s passes with a swap at %d", code, i)
				}
				code[i], code[i-1] = code[i-1], code[i]
			}
		}
	}
}

func TestNewPromoDigits(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code, err := newPromoDigits()
		if err != nil {
			t.Fatal(err)
		}
		if len(code) != promoDigits || !dammValid(code) {
			t.Fatalf("%q is no promo code", code)
		}
		seen[code] = true
	}
	if len(seen) < 999 {
		t.Errorf("%d different codes in 1000 draws", len(seen))
	}
}

func TestReadPromoCode(t *testing.T) {
	good := "572" + "000000"
	good += string(damm(good))
	spelt := good[:3] + " " + good[3:6] + "-" + good[6:]
	for typed, want := range map[string]Reason{
		good: "", spelt: "", "  " + spelt + " ": "", good[:5] + "\u00a0" + good[5:]: "", good[:4] + "–" + good[4:]: "", good[:4] + "." + good[4:]: "",
		"":               ReasonMalformed,
		"123":            ReasonMalformed,
		good + "0":       ReasonMalformed,
		"12345678O0":     ReasonMalformed,
		good[:9] + "x":   ReasonMalformed,
		"573" + good[3:]: ReasonTypo,
	} {
		code, refusal := readPromoCode(typed)
		switch {
		case want == "" && (refusal != nil || code != good):
			t.Errorf("%q: %q, %v, want %s", typed, code, refusal, good)
		case want != "" && (refusal == nil || refusal.Reason != want):
			t.Errorf("%q: %v, want %s", typed, refusal, want)
		}
	}
}

func TestDiscountOf(t *testing.T) {
	for _, c := range []struct {
		d           Discount
		price, want int64
	}{
		{Discount{Percent: 15}, 399000, 59850},
		{Discount{Percent: 15}, 333, 49}, // 49.95 rounds down: never more than promised
		{Discount{Percent: 100}, 1001, 1001},
		{Discount{Percent: 0}, 1000, 0},
		{Discount{Kopecks: 50000}, 399000, 50000},
		{Discount{Kopecks: 50000}, 30000, 30000},
		{Discount{Percent: 33}, 9_000_000_000_000_00, 2_970_000_000_000_00}, // no overflow
	} {
		if got := c.d.Of(c.price); got != c.want {
			t.Errorf("%+v.Of(%d) = %d, want %d", c.d, c.price, got, c.want)
		}
	}
}
