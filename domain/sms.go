package domain

import (
	"slices"
	"unicode/utf16"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/gsm7"
)

// SMSSize is how a text goes over the air. Each part is paid for.
type SMSSize struct {
	Unicode    bool // UCS-2, since a character is not in the GSM 7-bit alphabet
	Characters int  // septets or UTF-16 units, as the standard counts them
	Parts      int
	Left       int // characters until another part begins
}

// Room for characters by 3GPP TS 23.040: alone, and in each of several parts.
const (
	gsmAlone, gsmPart         = 160, 153
	unicodeAlone, unicodePart = 70, 67
)

// CountSMS counts the parts of a text: GSM 7-bit where it can be, otherwise
// UCS-2. An empty text has none.
func CountSMS(text string) SMSSize {
	if text == "" {
		return SMSSize{Left: gsmAlone}
	}
	size, alone, part := SMSSize{}, gsmAlone, gsmPart
	if septets, err := gsm7.Encode([]byte(text)); err == nil {
		size.Characters = len(septets)
	} else {
		size.Unicode, alone, part = true, unicodeAlone, unicodePart
		size.Characters = len(utf16.Encode([]rune(text)))
	}
	// The library cuts as a phone does: no pair of a character is torn apart,
	// so a part may be left with an empty place.
	pdus, err := sms.Encode([]byte(text))
	if err != nil {
		// A text of more than 255 parts; nobody may save one.
		size.Parts = (size.Characters + part - 1) / part
		return size
	}
	size.Parts = len(pdus)
	if size.Parts == 1 {
		size.Left = alone - size.Characters
		return size
	}
	last := len(pdus[len(pdus)-1].UD)
	if size.Unicode {
		last /= 2
	}
	size.Left = part - last
	return size
}

// Costly lists the characters that make a text UCS-2, each once, in the order
// of the text; none where it is GSM 7-bit.
func Costly(text string) []string {
	var out []string
	for _, r := range text {
		if _, err := gsm7.Encode([]byte(string(r))); err != nil && !slices.Contains(out, string(r)) {
			out = append(out, string(r))
		}
	}
	return out
}
