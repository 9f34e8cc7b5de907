package domain

import (
	"strings"
	"time"
)

// PromoEvent is one line of a code's history: what was decided about it, not
// who used it. Rows are only added.
type PromoEvent struct {
	PromoCodeID int64
	StaffID     int64 // 0: the program itself
	At          time.Time
	Kind        PromoEventKind
	Detail      string // the reason that was given; before it, of PromoExtended, the new last day
}

// PromoEventKind names what happened to a code.
type PromoEventKind string

// The events of a code. The list is open: what somebody adds later is a line
// in the database before it is a constant here.
const (
	PromoVoided   PromoEventKind = "voided" // stopped for good
	PromoFroze    PromoEventKind = "frozen"
	PromoThawed   PromoEventKind = "thawed"
	PromoExtended PromoEventKind = "extended" // good for longer

	PromoOwnerErased PromoEventKind = "owner_erased" // its owner had their data erased, which stops it for good
)

// promoNoEnd stands in for the last day of a code that got no end.
const promoNoEnd = "never"

// Reason is why it was done, in the words of who did it.
func (e PromoEvent) Reason() string {
	if e.Kind != PromoExtended {
		return e.Detail
	}
	_, reason, _ := strings.Cut(e.Detail, " ")
	return reason
}

// LastDay is the last day that an extension gave; the zero time where it gave
// no end, or is none.
func (e PromoEvent) LastDay() time.Time {
	if e.Kind != PromoExtended {
		return time.Time{}
	}
	day, _, _ := strings.Cut(e.Detail, " ")
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return time.Time{}
	}
	return t
}

// PromoEventRow is an event with the name of who did it, empty for the
// program itself.
type PromoEventRow struct {
	PromoEvent
	StaffName string
}
