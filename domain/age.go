package domain

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"
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

// oldest is the age in years beyond which a birth date is a slip.
const oldest = 120

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
// 5/3/1990, 05 03 1990, 05031990, with the year first (1990-03-05, 19900305),
// with or without «г.» behind it.
func ParseBirthDate(typed string) (time.Time, bool) {
	t, fault := readBirthDate(typed)
	return t, fault == ""
}

// The faults of a date that was typed, each with its own words.
const (
	dateMalformed = "age.birth_date_malformed"  // no day, month and year in numbers
	dateShortYear = "age.birth_date_short_year" // a year of two digits: whose century it is, nobody guesses
	dateNoMonth   = "age.birth_date_no_month"   // a month after the 12th, as where it is written first
	dateNoDay     = "age.birth_date_no_day"     // 31.02: a slip, not 3 March
)

func readBirthDate(typed string) (time.Time, string) {
	typed = strings.ToLower(foldDigits(typed))
	typed = strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(typed, "."), "г"))
	parts := strings.FieldsFunc(typed, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune(".,/\\_·\u2212", r)
	})
	for _, p := range parts {
		if strings.Trim(p, "0123456789") != "" {
			return time.Time{}, dateMalformed // no sign either
		}
	}
	if len(parts) == 1 {
		parts = withoutSeparators(parts[0])
	}
	if len(parts) != 3 {
		return time.Time{}, dateMalformed
	}
	if len(parts[0]) == 4 {
		parts[0], parts[2] = parts[2], parts[0] // the year comes first
	}
	if len(parts[0]) > 2 || len(parts[1]) > 2 || len(parts[2]) > 4 {
		return time.Time{}, dateMalformed
	}
	if len(parts[2]) < 4 {
		return time.Time{}, dateShortYear
	}
	var n [3]int
	for i, p := range parts {
		n[i], _ = strconv.Atoi(p) // at most four digits
	}
	return calendarDate(n[2], n[1], n[0])
}

// withoutSeparators parts digits that were typed in one go. The year comes last
// unless nobody can have been born in it.
func withoutSeparators(d string) []string {
	switch len(d) {
	case 6:
		return []string{d[:2], d[2:4], d[4:]}
	case 8:
		if d[4:] < "1900" && d[:4] >= "1900" {
			return []string{d[:4], d[4:6], d[6:]}
		}
		return []string{d[:2], d[2:4], d[4:]}
	}
	return nil
}

func calendarDate(year, month, day int) (time.Time, string) {
	if month < 1 || month > 12 {
		return time.Time{}, dateNoMonth
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	// time.Date turns 31.02 into 3 March; such a date is a slip, not a date.
	if t.Day() != day || int(t.Month()) != month || year == 0 {
		return time.Time{}, dateNoDay
	}
	return t, ""
}

// RecordAge saves the age step. A refusal, or a document that shows fewer
// years than the threshold, ends the visit and leaves nothing personal.
func (s *Service) RecordAge(ctx context.Context, a Actor, visitID int64, check AgeCheck, birthDate string) (Visit, error) {
	if check != AgeNoDoubt && check != AgeSeen && check != AgeRefused {
		return Visit{}, invalid("age", "age.choose")
	}
	var birth time.Time
	if check == AgeSeen {
		if untyped(birthDate) {
			return Visit{}, invalid("birth_date", "age.birth_date_empty")
		}
		var fault string
		if birth, fault = readBirthDate(birthDate); fault != "" {
			return Visit{}, invalid("birth_date", fault)
		}
	}
	return s.change(ctx, a, visitID, func(ctx context.Context, tx Tx, v *Visit) error {
		if check == AgeSeen {
			store, err := tx.Store(ctx, v.StoreID)
			if err != nil {
				return err
			}
			years := AgeOn(birth, s.now().In(store.Location()))
			switch {
			case years < 0:
				return invalid("birth_date", "age.birth_date_future")
			case years > oldest:
				return invalid("birth_date", "age.birth_date_old", "Max", oldest)
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
