package domain

import (
	"strings"
	"unicode"
)

// foldDigits trims what was typed or pasted, and turns the decimal digits of
// every script into ASCII and every space into the plain one. Characters that
// nobody sees go: messengers and contact lists put marks of direction round
// numbers.
func foldDigits(typed string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r < 0x80:
			return r
		case unicode.Is(unicode.Nd, r):
			return '0' + digitValue(r)
		case unicode.Is(unicode.Zs, r):
			return ' '
		case r == '\uff0b':
			return '+'
		case invisible(r):
			return -1
		}
		return r
	}, typed))
}

// digitValue is what a decimal digit of any script stands for. Unicode keeps
// the ten digits of a script together, in their order.
func digitValue(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if lo := rune(t.Lo); lo <= r && r <= rune(t.Hi) {
			return (r - lo) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if lo := rune(t.Lo); lo <= r && r <= rune(t.Hi) {
			return (r - lo) % 10
		}
	}
	return 0
}

// invisible tells of a character that leaves no mark on a screen: those that
// only format, and letters and signs that are blank by design.
func invisible(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0':
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector)
}

// foldName cleans the name of a person: no control or direction characters,
// single spaces. Joiners stay, which some scripts need within a word. A name in
// which nothing can be seen is empty.
func foldName(typed string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '\u200c' || r == '\u200d':
			return r
		case unicode.In(r, unicode.Cc, unicode.Zs, unicode.Zl, unicode.Zp):
			return ' '
		case invisible(r) || unicode.In(r, unicode.Co, unicode.Cs) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, typed)
	name = strings.Join(strings.Fields(name), " ")
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		return ""
	}
	return name
}
