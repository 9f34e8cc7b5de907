package domain

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// Every character of every category, put into a number and into a name.
func TestFoldEveryCharacter(t *testing.T) {
	digits := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		number, name := foldDigits("12"+string(r)+"34"), foldName("Пё"+string(r)+"тр")
		switch {
		case unicode.Is(unicode.Nd, r):
			digits++
			if len(number) != 5 || number[2] < '0' || number[2] > '9' {
				t.Fatalf("%U is a digit, and %q is made of it", r, number)
			}
		case unicode.Is(unicode.Cf, r):
			if number != "1234" {
				t.Fatalf("%U only formats, and %q is made of it", r, number)
			}
		case unicode.Is(unicode.Zs, r):
			if number != "12 34" || name != "Пё тр" {
				t.Fatalf("%U is a space: %q, %q", r, number, name)
			}
		}
		if unicode.In(r, unicode.Cc, unicode.Bidi_Control) && strings.ContainsRune(name, r) {
			t.Fatalf("%U stands in the name %q", r, name)
		}
		if again := foldName(name); again != name {
			t.Fatalf("%U: %q folds to %q", r, name, again)
		}
		if again := foldDigits(number); again != number {
			t.Fatalf("%U: %q folds to %q", r, number, again)
		}
	}
	if digits < 600 {
		t.Errorf("%d digits beyond ASCII; the test shows little", digits)
	}
}

func TestFoldDigitsByTheirValue(t *testing.T) {
	for typed, want := range map[string]string{
		"٠١٢١": "0121", "۷۸۹": "789", "०१२": "012", "１２３４": "1234", "\U0001d7ce\U0001d7d9\U0001d7e4\U0001d7ff": "0129",
		"\u2066+7 916\u2069 000-00-02": "+7 916 000-00-02", "\u200e1\u200f2\u00ad3\ufeff4": "1234", "\u00a01 2\u3000": "1 2",
	} {
		if got := foldDigits(typed); got != want {
			t.Errorf("%q folds to %q, want %q", typed, got, want)
		}
	}
}

func TestFoldName(t *testing.T) {
	for typed, want := range map[string]string{
		"  Пётр \t Иванов\n": "Пётр Иванов", "Анна-Мария": "Анна-Мария", "O'Brien": "O'Brien", "Нұрсұлтан": "Нұрсұлтан", "山田": "山田", "محمد": "محمد",
		"क्\u200dष": "क्\u200dष", "می\u200cخواهم": "می\u200cخواهم", "\u202eртёП": "ртёП", "Пётр\u2066\u2069": "Пётр", "Пётр\x00": "Пётр",
		"\u200b\u200d": "", "\u3164": "", "\u2800 \u2800": "", "\u115f\u1160": "", "...": "", "\u0301": "",
	} {
		if got := foldName(typed); got != want {
			t.Errorf("%q is the name %q, want %q", typed, got, want)
		}
	}
}

// Letters are no digits, and what stands behind a number is no part of it.
func TestPhoneWithLetters(t *testing.T) {
	s := Service{Settings: DefaultSettings()}
	for _, typed := range []string{
		"8 916 ABCDEFG", "8916ABCDEFG", "8 916 АБВГДЕЖ", "+7 916 000-00-02 доб. 5", "+7 916 000-00-02 ext. 5", "+79160000002;ext=5", "+79160000002x5", "+79160000002#5",
	} {
		if p := s.parsePhone(typed); p.fault == nil {
			t.Errorf("%q is taken for %s", typed, p.e164)
		}
	}
	for _, typed := range []string{
		"٨٩١٦٠٠٠٠٠٠٢", "\u2068+7 (916) 000-00-02\u2069", "+7\u2011916\u2011000\u201100\u201102", "tel:+79160000002", "\ufeff89160000002",
	} {
		if p := s.parsePhone(typed); p.e164 != "+79160000002" {
			t.Errorf("%q is %+v", typed, p)
		}
	}
}

// A code is judged as a whole: with blanks, dashes and marks round its digits,
// and never with one that is cut off.
func TestReadCodeWhole(t *testing.T) {
	s := Service{Settings: DefaultSettings()}
	for typed, want := range map[string]string{
		" 1234": "1234", "12-34": "1234", "1 2 3 4": "1234", "\u20661234\u2069": "1234", "٠١٢١": "0121", "１２３４": "1234", "12\u200b34": "1234",
		"12345": "", "123": "", "12a4": "", "①②③④": "", "": "",
	} {
		if got, ok := s.readCode(typed); ok != (want != "") || ok && got != want {
			t.Errorf("%q is read as %q, %t", typed, got, ok)
		}
	}
}

// What a messenger takes for a part of a link comes off; a token of any age
// survives.
func TestReadToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[A-Za-z0-9_-]{22}`).Draw(t, "token")
		behind := rapid.SampledFrom([]string{"", ".", ",", ")", "!", "?", "»", "”", "…", ").", "\u00a0", ";", ":", "'", "\"", "]", "}", ">", "*", "~"}).Draw(t, "behind")
		if got := readToken(token + behind); got != token {
			t.Fatalf("%q is read as %q", token+behind, got)
		}
	})
	for _, typed := range []string{"", ".", "a.b", "a b", "\xff", "a/b", "%2e"} {
		if got := readToken(typed); got != "" {
			t.Errorf("%q is read as %q", typed, got)
		}
	}
	seen := map[string]bool{}
	for range 1000 {
		token := linkToken(22)
		if len(token) != 22 || strings.Trim(token, tokenAlphabet[:62]) != "" || seen[token] {
			t.Fatalf("drawn: %q", token)
		}
		seen[token] = true
	}
}
