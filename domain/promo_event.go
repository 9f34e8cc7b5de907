package domain

import "time"

// PromoEvent is one line of a code's history: what was decided about it, not
// who used it. Rows are only added.
type PromoEvent struct {
	PromoCodeID int64
	StaffID     int64 // 0: the program itself
	At          time.Time
	Kind        PromoEventKind
	Detail      string // the reason that was given, or the new last day
}

// PromoEventKind names what happened to a code.
type PromoEventKind string

// PromoVoided is the event of a code that is stopped for good.
const PromoVoided PromoEventKind = "voided"
