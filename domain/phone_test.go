package domain

import "testing"

func TestParsePhone(t *testing.T) {
	s := testService()
	for typed, want := range map[string]string{
		// Every spelling of one phone is one phone.
		"+7 916 123-45-67": "+79161234567", "89161234567": "+79161234567", "8 (916) 123 45 67": "+79161234567",
		"9161234567": "+79161234567", "79161234567": "+79161234567", "+7(916)1234567": "+79161234567",
		"\u200e+7\u00a0916\u00a0123\u00a045\u00a067": "+79161234567", "８９１６１２３４５６７": "+79161234567",
		"8-916-123-45-67": "+79161234567", "007 916 123 45 67": "contact.phone_malformed",
		"":                  "contact.phone_empty",
		"   ":               "contact.phone_empty",
		"12345":             "contact.phone_malformed",
		"+7 916 123-45-6":   "contact.phone_malformed",
		"телефон":           "contact.phone_malformed",
		"+7 495 123-45-67":  "contact.phone_not_mobile",
		"+375 29 123-45-67": "contact.phone_region",
		"+1 202 555 0143":   "contact.phone_region",
		"+7 701 123 45 67":  "contact.phone_region", // Kazakhstan shares +7
	} {
		p := s.parsePhone(typed)
		got := p.e164
		if p.fault != nil {
			got = p.fault.Key
		}
		if got != want {
			t.Errorf("%q: %s, want %s", typed, got, want)
		}
	}
}
