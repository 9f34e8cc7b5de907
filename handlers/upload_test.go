package handlers

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

func utf16Of(text string, big bool) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		pair := []byte{byte(unit), byte(unit >> 8)}
		if big {
			pair[0], pair[1] = pair[1], pair[0]
		}
		b.Write(pair)
	}
	return b.String()
}

func windows1251(t testing.TB, text string) string {
	t.Helper()
	out, err := charmap.Windows1251.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A file is read as its author saw it, in whatever encoding a spreadsheet has
// saved it.
func TestTextOfUpload(t *testing.T) {
	const (
		codes   = "code;discount_percent;discount_rub;uses;valid_until\r\n0123456786;15;;1;31.12.2026\r\n"
		russian = "Партия «Тёма», 1\u00a0000 № 5 — Ёлки\r\n" + codes
	)
	mostly := strings.Repeat("Листовки, май ", 20) // in which few bytes of UTF-16 are zero
	for name, c := range map[string]struct{ content, want string }{
		"empty":                         {"", ""},
		"UTF-8":                         {russian, russian},
		"UTF-8 with a mark":             {"\ufeff" + russian, "\ufeff" + russian},
		"UTF-16 LE":                     {utf16Of("\ufeff"+russian, false), russian},
		"UTF-16 BE":                     {utf16Of("\ufeff"+russian, true), russian},
		"UTF-16 LE, mostly Russian":     {utf16Of("\ufeff"+mostly+codes, false), mostly + codes},
		"UTF-16 LE without a mark":      {utf16Of(codes, false), codes},
		"UTF-16 BE without a mark":      {utf16Of(codes, true), codes},
		"some Russian without a mark":   {utf16Of(russian, false), russian},
		"UTF-16 that was cut":           {utf16Of("\ufeff"+codes, false) + "1", codes + "\ufffd"},
		"tabs in UTF-16":                {utf16Of("\ufeff"+strings.ReplaceAll(codes, ";", "\t"), false), strings.ReplaceAll(codes, ";", "\t")},
		"nothing but a mark":            {"\xff\xfe", ""},
		"windows-1251":                  {windows1251(t, russian), russian},
		"one letter in windows-1251":    {codes + windows1251(t, "х"), codes + "х"},
		"what looks like UTF-8 in 1251": {windows1251(t, "Сёмин, Тёма и другие"), "Сёмин, Тёма и другие"},
		// What is none of them is not guessed at.
		"a byte of UTF-8 was lost": {russian + "\xd0", russian + "\xd0"},
		"a zero in a text":         {codes + "\xff\x00", codes + "\xff\x00"},
		"a zero in UTF-8":          {codes + "\x00", codes + "\x00"},
		"a spreadsheet's own file": {"PK\x03\x04\x14\x00\x06\x00\xd8", "PK\x03\x04\x14\x00\x06\x00\xd8"},
		"two bytes":                {"1\x00", "1\x00"},
	} {
		if got := textOf([]byte(c.content)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzTextOfUpload: whatever is uploaded, a text in UTF-8 stays as it is, and
// what was decoded is UTF-8.
func FuzzTextOfUpload(f *testing.F) {
	for _, seed := range []string{"", "code", "\xff\xfe1\x00", "\xfe\xff\x001", "1\x002\x00", "\xcf\xf0\xe8", "\xd0\x9f\xd0", "PK\x03\x04"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got := textOf(content)
		if utf8.Valid(content) && !strings.Contains(string(content), "\x00") && got != string(content) {
			t.Errorf("%q became %q", content, got)
		}
		if got != string(content) && !utf8.ValidString(got) {
			t.Errorf("%q became %q", content, got)
		}
	})
}
