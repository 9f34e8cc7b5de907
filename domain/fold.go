package domain

import (
	"slices"
	"strings"
	"unicode"
)

// What people type or paste is folded here and nowhere else, by what it is:
//   - what is compared or searched for, such as a phone, a code, a number, a
//     date, a search: foldDigits; a login: foldLogin
//   - a text of one line, such as a reason, a title, an answer: foldLine
//   - the name of a person: foldName
//
// A text to customers is not folded but refused where it holds what would go,
// and the place is named: its author pays for each character (see OutOfPlace);
// so is a setting of the program. A password is none of these and stays as it
// is, byte for byte: whoever has chosen it may have chosen any character, and
// folding would let many passwords in for one. What a customer writes by SMS is
// kept as it came, as evidence.

// foldDigits trims what was typed or pasted, and turns the decimal digits of
// every script into ASCII, the wide letters and signs of East Asian keyboards
// into the plain ones, and every space and control character into a space.
// Characters that nobody sees go: messengers and contact lists put marks of
// direction round numbers. What is broken or nobody's (U+FFFD, private use)
// stays, so that it is refused and not guessed.
func foldDigits(typed string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case spaced(r):
			return ' '
		case r < 0x80:
			return r
		case unicode.Is(unicode.Nd, r):
			return '0' + digitValue(r)
		case '！' <= r && r <= '～':
			return r - '！' + '!'
		case invisible(r):
			return -1
		}
		return r
	}, typed))
}

// foldLogin gives a login as it is kept: a keyboard may write it in capitals or
// wide letters, and pasting brings what nobody sees.
func foldLogin(typed string) string { return strings.ToLower(foldDigits(typed)) }

// FoldSearch gives what was typed into a field that narrows a list.
func FoldSearch(typed string) string { return foldDigits(typed) }

// untyped tells of a field of numbers or codes in which there is nothing that
// anybody could see.
func untyped(typed string) bool { return foldDigits(typed) == "" }

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

// spaced tells of a character that only keeps others apart: spaces, ends of
// lines, and the control characters of old terminals.
func spaced(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zs, unicode.Zl, unicode.Zp) }

// invisible tells of a character that leaves no mark on a screen: those that
// only format, and letters and signs that are blank by design, or stand for
// something that was not pasted along (U+FFFC, which dictation leaves as well).
func invisible(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0', '\ufffc', '\U00016fe4', '\U0001d159':
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// nobodys tells of what no person can have meant: a character that was lost on
// its way, or one that has no meaning but among those who agreed on it.
func nobodys(r rune) bool {
	return r == unicode.ReplacementChar || unicode.In(r, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point)
}

// joins tells of the characters that nobody sees and that change how others
// look: the joiners, which scripts of India and Persia need within a word and
// which make one picture of several emoji; and the selectors, which choose a
// form of an ideograph in a name, or the coloured picture of a sign.
func joins(r rune) bool {
	return r == '\u200c' || r == '\u200d' || unicode.Is(unicode.Variation_Selector, r)
}

// belong tells of each character whether it has a place in a text. Spaces and
// letters of whatever script have, what is invisible or nobody's has not. Where
// one joins others it has, but only behind what is seen, a joiner also only
// before it, and never two of a kind: so family emoji and Persian names survive,
// and no text can be stuffed with what nobody sees. The tags that make the flags
// of England, Scotland and Wales of a black one go; they can hide a text.
func belong(text []rune) []bool {
	out := make([]bool, len(text))
	last := ' ' // of those that belong
	for i, r := range text {
		switch {
		case unicode.Is(unicode.Variation_Selector, r):
			out[i] = !spaced(last) && !joins(last)
		case joins(r):
			next := slices.IndexFunc(text[i+1:], func(r rune) bool { return joins(r) || !invisible(r) && !nobodys(r) })
			out[i] = !spaced(last) && (!joins(last) || unicode.Is(unicode.Variation_Selector, last)) &&
				next >= 0 && !joins(text[i+1+next]) && !spaced(text[i+1+next])
		default:
			out[i] = !invisible(r) && !nobodys(r)
		}
		if out[i] {
			last = r
		}
	}
	return out
}

// foldLine cleans a text of one line: it keeps what belongs there and single
// spaces. A text in which nothing can be seen is empty.
func foldLine(typed string) string {
	text := []rune(typed)
	var b strings.Builder
	for i, ok := range belong(text) {
		switch {
		case spaced(text[i]):
			b.WriteByte(' ')
		case ok:
			b.WriteRune(text[i])
		}
	}
	line := strings.Join(strings.Fields(b.String()), " ")
	// A mark alone has nothing to stand on.
	if !strings.ContainsFunc(line, func(r rune) bool { return !spaced(r) && !joins(r) && !unicode.IsMark(r) }) {
		return ""
	}
	return line
}

// OutOfPlace finds the first character that has no place in a text: a control
// character other than the end of a line, or what belong leaves out.
func OutOfPlace(s string) (place int, r rune, found bool) {
	text := []rune(s)
	for i, ok := range belong(text) {
		if r := text[i]; !ok || r != '\n' && spaced(r) && !unicode.Is(unicode.Zs, r) {
			return i + 1, r, true
		}
	}
	return 0, 0, false
}

// foldName is foldLine for the name of a person; one without a letter or a
// number is empty.
func foldName(typed string) string {
	name := foldLine(typed)
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		return ""
	}
	return name
}
