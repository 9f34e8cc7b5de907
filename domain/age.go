package domain

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// AgeCheck is the answer of the age step.
type AgeCheck string

// The age checks. AgeUnder is what a seen document turned into; the birth
// date itself is never kept.
const (
	AgeUnasked AgeCheck = ""
	AgeNoDoubt AgeCheck = "no_doubt"
	AgeSeen    AgeCheck = "document"
	AgeRefused AgeCheck = "refused"
	AgeUnder   AgeCheck = "under"
)

// Passed tells whether the visit may go on.
func (a AgeCheck) Passed() bool { return a == AgeNoDoubt || a == AgeSeen }

// AgeOn counts full years between a birth date and a day, both as calendar
// dates. Somebody born on 29 February becomes a year older on 1 March of a
// common year: only then is the year complete.
func AgeOn(birth, day time.Time) int {
	years := day.Year() - birth.Year()
	if day.Month() < birth.Month() || day.Month() == birth.Month() && day.Day() < birth.Day() {
		years--
	}
	return years
}

// ParseBirthDate reads a date as it is typed at the counter: 05.03.1990,
// 5/3/1990, 05 03 1990, 05031990, or 1990-03-05 from a date picker.
func ParseBirthDate(typed string) (time.Time, bool) {
	typed = strings.TrimSpace(typed)
	if t, err := time.Parse(time.DateOnly, typed); err == nil {
		return t, true
	}
	parts := strings.FieldsFunc(typed, func(r rune) bool { return strings.ContainsRune(".,/- \u00a0", r) })
	if len(parts) == 1 && len(parts[0]) == 8 {
		parts = []string{parts[0][:2], parts[0][2:4], parts[0][4:]}
	}
	if len(parts) != 3 || len(parts[2]) != 4 {
		return time.Time{}, false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 16) // no sign
		if err != nil || v == 0 {
			return time.Time{}, false
		}
		n[i] = int(v)
	}
	t := time.Date(n[2], time.Month(n[1]), n[0], 0, 0, 0, 0, time.UTC)
	// time.Date turns 31.02 into 3 March; such a date is a slip, not a date.
	if t.Day() != n[0] || int(t.Month()) != n[1] {
		return time.Time{}, false
	}
	return t, true
}

// RecordAge saves the age step. A refusal, or a document that shows fewer
// years than the threshold, ends the visit and leaves nothing personal.
func (s *Service) RecordAge(ctx context.Context, a Actor, visitID int64, check AgeCheck, birthDate string) (Visit, error) {
	if check != AgeNoDoubt && check != AgeSeen && check != AgeRefused {
		return Visit{}, invalid("age", "age.choose")
	}
	var birth time.Time
	if check == AgeSeen {
		if strings.TrimSpace(birthDate) == "" {
			return Visit{}, invalid("birth_date", "age.birth_date_empty")
		}
		var ok bool
		if birth, ok = ParseBirthDate(birthDate); !ok {
			return Visit{}, invalid("birth_date", "age.birth_date_malformed")
		}
	}
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if check == AgeSeen {
			store, err := tx.Store(ctx, v.StoreID)
			if err != nil {
				return err
			}
			years := AgeOn(birth, s.now().In(store.Location()))
			if years < 0 || years > 120 {
				return invalid("birth_date", "age.birth_date_implausible")
			}
			if years < s.Settings.AgeThreshold {
				check = AgeUnder
			}
		}
		v.Age = check
		err := tx.AddVisitEvent(ctx, VisitEvent{VisitID: v.ID, StaffID: a.ID, At: v.TouchedAt, Kind: EventAge, Detail: string(check)})
		if err != nil || check.Passed() {
			return err
		}
		if _, err := s.eraseContact(ctx, tx, v, a.ID); err != nil {
			return err
		}
		return s.end(ctx, tx, v, a.ID, Refused)
	})
}
