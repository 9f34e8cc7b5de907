package domain

import (
	"slices"
	"strings"
	"unicode"

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
	typed = strings.TrimPrefix(foldDigits(typed), "tel:")
	if typed == "" {
		return fault("contact.phone_empty")
	}
	// The library reads letters as the keys of an old telephone, and what stands
	// behind some as an extension, which gets no SMS.
	if strings.ContainsFunc(typed, unicode.IsLetter) {
		return fault("contact.phone_malformed")
	}
	n, err := phonenumbers.Parse(typed, s.Settings.PhoneRegions[0])
	if err != nil || n.GetExtension() != "" {
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
