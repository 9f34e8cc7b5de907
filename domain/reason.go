package domain

import (
	"unicode/utf8"
)

// limits of a text that explains a decision, in characters
const (
	minReason = 3
	maxReason = 300
)

// readReason folds what somebody gives as their reason for a decision, and
// tells what is wrong with it.
func readReason(typed string) (reason string, fault *Text) {
	reason = foldLine(typed)
	var t Text
	switch n := utf8.RuneCountInString(reason); {
	case n < minReason:
		t = Say("reason.empty")
	case n > maxReason:
		t = Say("reason.long", "Max", maxReason)
	default:
		return reason, nil
	}
	return reason, &t
}
