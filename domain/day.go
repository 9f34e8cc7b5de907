package domain

import "time"

// clockAt is the moment from which on the clock of loc shows that minute of
// that day or a later one. It is not time.Date: where clocks are put forward
// over the minute (midnight itself, in Santiago) there is no such minute, and
// time.Date may then answer with the day before; where they are put back over
// it there are two, and time.Date may answer with one that is over. Here the
// first is the moment of the change, and the second the later one, so that
// whoever waits for it from before does not look back.
//
// day may lie outside the month and minute outside the day, as with time.Date.
func clockAt(year int, month time.Month, day, minute int, loc *time.Location) time.Time {
	wall := time.Date(year, month, day, 0, minute, 0, 0, time.UTC) // what the clock shall show
	// No zone is a day from UTC, so the clock shows more than that here. Go back
	// from here, one rule of the zone after the other, to the last moment at
	// which it shows less.
	at := wall.AddDate(0, 0, 1)
	for {
		from, _ := at.In(loc).ZoneBounds()
		_, offset := at.In(loc).Zone()
		shown := wall.Add(-time.Duration(offset) * time.Second) // where this rule shows it
		if from.IsZero() || shown.After(from) {
			return shown
		}
		at = from.Add(-1)
		if _, offset = at.In(loc).Zone(); at.Add(time.Duration(offset) * time.Second).Before(wall) {
			return from.UTC()
		}
	}
}

// dayStart is the first moment of a calendar day of loc. A day is what lies
// from there to the start of the next one: days leave no gap and share nothing.
func dayStart(year int, month time.Month, day int, loc *time.Location) time.Time {
	return clockAt(year, month, day, 0, loc)
}

// startOfDay is the first moment of the day at the store which comes days
// after that of t.
func (s Store) startOfDay(t time.Time, days int) time.Time {
	loc := s.Location()
	year, month, day := t.In(loc).Date()
	return dayStart(year, month, day+days, loc)
}
