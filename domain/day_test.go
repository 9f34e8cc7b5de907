package domain

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// midnights are nights in which midnight is missing (-) or shown twice (+),
// and when the day really begins, in UTC.
var midnights = []struct{ zone, day, start string }{
	{"America/Santiago", "2027-09-05", "2027-09-05 04:00"},     // -
	{"America/Santiago", "2027-04-04", "2027-04-04 04:00"},     // 24:00 becomes 23:00
	{"Chile/Continental", "2027-09-05", "2027-09-05 04:00"},    // - by its old name
	{"America/Asuncion", "2023-10-01", "2023-10-01 04:00"},     // -
	{"America/Havana", "2027-03-14", "2027-03-14 05:00"},       // -
	{"America/Havana", "2027-11-07", "2027-11-07 04:00"},       // + and the first one counts
	{"Asia/Beirut", "2027-03-28", "2027-03-27 22:00"},          // -
	{"Asia/Beirut", "2027-10-31", "2027-10-30 22:00"},          // 24:00 becomes 23:00
	{"Africa/Cairo", "2027-04-30", "2027-04-29 22:00"},         // -
	{"Africa/Cairo", "2027-10-29", "2027-10-28 22:00"},         // 24:00 becomes 23:00
	{"Atlantic/Azores", "2027-03-28", "2027-03-28 01:00"},      // -
	{"Atlantic/Azores", "2027-10-31", "2027-10-31 00:00"},      // +
	{"America/Scoresbysund", "2027-03-28", "2027-03-28 01:00"}, // the hour before is missing
	{"America/Sao_Paulo", "2018-11-04", "2018-11-04 03:00"},    // -
	{"America/Campo_Grande", "2018-11-04", "2018-11-04 04:00"}, // -
	{"Asia/Amman", "2021-03-26", "2021-03-25 22:00"},           // -
	{"Asia/Damascus", "2022-03-25", "2022-03-24 22:00"},        // -
	{"Asia/Gaza", "2020-03-28", "2020-03-27 22:00"},            // -
	{"Asia/Tehran", "2022-03-22", "2022-03-21 20:30"},          // -
	{"America/St_Johns", "2009-11-01", "2009-11-01 03:30"},     // 00:01 becomes 23:01 of the day before
	{"Pacific/Apia", "2011-12-30", "2011-12-30 10:00"},         // there was no such day
	{"Pacific/Apia", "2011-12-31", "2011-12-30 10:00"},         // it begins where that one would have
	{"Europe/Moscow", "2027-05-01", "2027-04-30 21:00"},        // as everywhere else
	{"Asia/Kamchatka", "2027-05-01", "2027-04-30 12:00"},       // and
	{"Pacific/Kiritimati", "2027-05-01", "2027-04-30 10:00"},   // from one end
	{"Pacific/Pago_Pago", "2027-05-01", "2027-05-01 11:00"},    // of the earth
	{"Australia/Lord_Howe", "2027-10-03", "2027-10-02 13:30"},  // to the other
	{"UTC", "2027-05-01", "2027-05-01 00:00"},
}

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestDayStart(t *testing.T) {
	for _, c := range midnights {
		day := date(c.day)
		got := dayStart(day.Year(), day.Month(), day.Day(), zoneOf(t, c.zone))
		if got.Format("2006-01-02 15:04") != c.start || got.Location() != time.UTC {
			t.Errorf("%s begins in %s at %v, want %s UTC", c.day, c.zone, got, c.start)
		}
	}
}

// everyZone names the zones of the tz database, from the copy that Go brings
// along; where that is not there, those of the table.
func everyZone(t *testing.T) []string {
	t.Helper()
	var names []string
	r, err := zip.OpenReader(filepath.Join(os.Getenv("GOROOT"), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Logf("not all time zones, only those of the table: %v", err)
		for _, c := range midnights {
			names = append(names, c.zone)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	defer func() { _ = r.Close() }()
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	return names
}

// clockChanges are the moments in the years of the program at which the clocks
// of a zone are changed.
func clockChanges(loc *time.Location) []time.Time {
	var out []time.Time
	end := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2012, 1, 1, 0, 0, 0, 0, loc); ; {
		_, at = at.ZoneBounds()
		if at.IsZero() || at.After(end) {
			return out
		}
		out = append(out, at)
	}
}

// A day of a store is what lies between its start and that of the next day,
// without a gap and without anything that the calendar there calls by another
// date. It holds in every zone, in every night in which clocks are changed.
func TestDaysInEveryZone(t *testing.T) {
	missing, twice := 0, 0
	for _, name := range everyZone(t) {
		loc := zoneOf(t, name)
		for _, change := range clockChanges(loc) {
			year, month, middle := change.Date()
			switch before := change.Add(-1); {
			case change.Hour() > 0 && before.Hour() == 23 && before.Day() != change.Day():
				missing++
			case change.Hour() == 0 && before.Hour() == 0:
				twice++
			}
			for day := middle - 2; day <= middle+2; day++ {
				holdsDay(t, loc, time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
			}
		}
	}
	if missing < 20 || twice < 20 {
		t.Errorf("%d nights without a midnight and %d with two: the test looks past them", missing, twice)
	}
}

func holdsDay(t *testing.T, loc *time.Location, day time.Time) {
	t.Helper()
	zone, want := Store{TimeZone: loc.String()}, day.Format(time.DateOnly)
	start := dayStart(day.Year(), day.Month(), day.Day(), loc)
	next := dayStart(day.Year(), day.Month(), day.Day()+1, loc)
	if got := zone.Day(start); got != want {
		t.Errorf("%v: %s begins on %s", loc, want, got)
	}
	if got := zone.Day(start.Add(-1)); got >= want {
		t.Errorf("%v: the moment before %s is on %s", loc, want, got)
	}
	for at := start; at.Before(next); at = at.Add(15 * time.Minute) {
		if got := zone.Day(at); got != want {
			t.Fatalf("%v: %v is on %s and in the day %s", loc, at, got, want)
		}
	}
	if got := zone.startOfDay(start.Add(time.Hour), 1); !got.Equal(next) {
		t.Errorf("%v: the day after %s begins at %v and at %v", loc, want, next, got)
	}
	// A filter by date lists the day and nothing else.
	found, err := spans([]Store{{ID: 1, TimeZone: loc.String()}}, want)
	if err != nil || len(found) != 1 || !found[0].From.Equal(start) || !found[0].Until.Equal(next) {
		t.Errorf("%v: a filter by %s is %v, %v", loc, want, found, err)
	}
	// A code that is good until that day is so to its end, and says so.
	for _, typed := range []string{want, day.Format("02.01.2006")} {
		until, fault := readLastDay(typed, loc, start)
		if fault != nil || !until.Equal(next) {
			t.Errorf("%v: good until %s means %v, %v", loc, typed, until, fault)
			continue
		}
		if said := zone.Day(PromoCode{ExpiresAt: until}.LastDay()); said != want {
			t.Errorf("%v: good until %s is told as %s", loc, typed, said)
		}
	}
}

// What waits for an hour of the store's clock neither looks back nor waits for
// an hour that the clock never shows.
func TestHoursInEveryZone(t *testing.T) {
	for _, hours := range []struct{ from, at, until int }{
		{0, 0, 23*60 + 59}, {0, 30, 60}, {30, 45, 1439}, {60, 90, 120}, {90, 100, 1380}, {150, 160, 170}, {23*60 + 30, 1411, 1439},
	} {
		s := testService()
		s.Settings.MessageFrom, s.Settings.MessageAt, s.Settings.MessageUntil = hours.from, hours.at, hours.until
		for _, c := range midnights {
			loc := zoneOf(t, c.zone)
			store := Store{TimeZone: c.zone}
			day := date(c.day)
			for at := day.Add(-30 * time.Hour); at.Before(day.Add(30 * time.Hour)); at = at.Add(10 * time.Minute) {
				year, month, today := at.In(loc).Date()
				if got := store.Day(s.NextDayAt(store, at)); got <= store.Day(at) || got > store.Day(time.Date(year, month, today+2, 12, 0, 0, 0, loc)) {
					t.Errorf("%s %v: %v: the next day is %s", c.zone, hours, at, got)
				}
				// From one pause to the next it comes to an hour that is allowed.
				then := at
				for rounds := 0; ; rounds++ {
					next := s.nextAllowed(store, then)
					if next.Equal(then) {
						break
					}
					if next.Before(then) || rounds > 3 {
						t.Fatalf("%s %v: after %v it waits until %v", c.zone, hours, then, next)
					}
					then = next
				}
			}
		}
	}
}
