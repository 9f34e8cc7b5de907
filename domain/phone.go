package domain

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// parsedPhone is a phone in E.164, or what was wrong with what was typed.
type parsedPhone struct {
	e164  string
	fault *Text
}

// parsePhone reads a phone in any spelling. Only mobile numbers of the
// allowed regions pass: a landline gets no SMS, and a foreign number gets it
// at a price nobody agreed to.
func (s *Service) parsePhone(typed string) parsedPhone {
	fault := func(key string) parsedPhone {
		t := Say(key)
		return parsedPhone{fault: &t}
	}
	typed = foldDigits(typed)
	if typed == "" {
		return fault("contact.phone_empty")
	}
	n, err := phonenumbers.Parse(typed, s.Settings.PhoneRegions[0])
	if err != nil {
		return fault("contact.phone_malformed")
	}
	region := phonenumbers.GetRegionCodeForNumber(n)
	if !phonenumbers.IsValidNumber(n) {
		return fault("contact.phone_malformed")
	}
	if !slices.Contains(s.Settings.PhoneRegions, region) {
		return fault("contact.phone_region")
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return parsedPhone{e164: phonenumbers.Format(n, phonenumbers.E164)}
	default:
		return fault("contact.phone_not_mobile")
	}
}

// foldDigits trims and turns full-width and other Unicode decimal digits that
// a keyboard or a pasted text may hold into ASCII, and drops invisible marks.
func foldDigits(typed string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == '\u00a0' || r == '\u202f' || r == '\u2009':
			return ' '
		case r == '＋':
			return '+'
		case r == '\u200b' || r == '\u200e' || r == '\u202a' || r == '\u202c' || r == '\ufeff':
			return -1
		}
		return r
	}, typed))
}
