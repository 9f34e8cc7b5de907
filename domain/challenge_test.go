package domain

import (
	"fmt"
	"testing"
)

func testService() *Service {
	return &Service{Secret: []byte("a secret of thirty-two characters"), Settings: DefaultSettings()}
}

// Every code is reachable, leading zeros included, and about equally likely:
// with 200,000 draws over 10,000 codes the counts lie round 20; a bias of a
// few per cent or an unreachable code shows in the chi-square sum, whose mean
// is 9,999 and standard deviation 141.
func TestPhoneCode_14_EveryCodeIsEquallyLikely(t *testing.T) {
	s := testService()
	counts := map[string]int{}
	const draws = 200_000
	for i := range draws {
		counts[s.code(fmt.Sprintf("challenge-%d", i))]++
	}
	sum, expected := 0.0, float64(draws)/10_000
	for n := range 10_000 {
		code := fmt.Sprintf("%04d", n)
		if counts[code] == 0 {
			t.Errorf("%s was never drawn", code)
		}
		d := float64(counts[code]) - expected
		sum += d * d / expected
	}
	if len(counts) != 10_000 {
		t.Errorf("%d different codes, want 10000", len(counts))
	}
	if sum < 9_999-6*141 || sum > 9_999+6*141 {
		t.Errorf("chi-square %.0f is far from 9999", sum)
	}
}

func TestCodeLengthAndRepeat(t *testing.T) {
	s := testService()
	for length := 4; length <= 6; length++ {
		s.Settings.CodeLength = length
		if got := s.code("x"); len(got) != length || got != s.code("x") {
			t.Errorf("length %d: %q, then %q", length, got, s.code("x"))
		}
	}
}

// A guess counts only for the phone, visit and advisor it was sent for.
func TestDigestBinds(t *testing.T) {
	s := testService()
	v := Visit{ID: 7, AdvisorID: 3, Phone: "+79161234567"}
	d := s.digest(v, "0123")
	other := v
	other.ID = 8
	for name, got := range map[string]string{
		"visit":   s.digest(other, "0123"),
		"advisor": s.digest(Visit{ID: 7, AdvisorID: 4, Phone: v.Phone}, "0123"),
		"phone":   s.digest(Visit{ID: 7, AdvisorID: 3, Phone: "+79161234568"}, "0123"),
		"code":    s.digest(v, "0124"),
	} {
		if got == d {
			t.Errorf("the digest does not depend on the %s", name)
		}
	}
	if s.digest(v, "0123") != d {
		t.Error("the digest is not stable")
	}
}

func TestReadCode(t *testing.T) {
	s := testService()
	for typed, want := range map[string]string{
		"0123": "0123", "0 1 2 3": "0123", "01-23": "0123", "０１２３": "0123",
		"123": "", "12345": "", "12a4": "", "": "", "١٢٣٤": "1234",
	} {
		got, ok := s.readCode(typed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("readCode(%q) = %q, %v, want %q", typed, got, ok, want)
		}
	}
}
