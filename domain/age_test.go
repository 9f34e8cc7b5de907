package domain

import (
	"testing"
	"time"
)

func date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestAgeOn(t *testing.T) {
	for _, c := range []struct {
		name, birth, day string
		want             int
	}{
		{"birthday today", "2008-11-23", "2026-11-23", 18},
		{"birthday tomorrow", "2008-11-24", "2026-11-23", 17},
		{"birthday yesterday", "2008-11-22", "2026-11-23", 18},
		{"29 February, the day before 1 March of a common year", "2008-02-29", "2026-02-28", 17},
		{"29 February, 1 March of a common year", "2008-02-29", "2026-03-01", 18},
		{"29 February in a leap year", "2008-02-29", "2028-02-29", 20},
		{"29 February, 28 February of a leap year", "2008-02-29", "2028-02-28", 19},
		{"last day of the year", "2008-12-31", "2026-12-30", 17},
		{"not born yet", "2027-01-01", "2026-11-23", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := AgeOn(date(c.birth), date(c.day)); got != c.want {
				t.Errorf("AgeOn(%s, %s) = %d, want %d", c.birth, c.day, got, c.want)
			}
		})
	}
}

func TestParseBirthDate(t *testing.T) {
	for typed, want := range map[string]string{
		"05.03.1990": "1990-03-05", "5.3.1990": "1990-03-05", "05/03/1990": "1990-03-05", "05 03 1990": "1990-03-05",
		"05-03-1990": "1990-03-05", "05031990": "1990-03-05", "1990-03-05": "1990-03-05", " 05.03.1990 ": "1990-03-05",
		"29.02.2008": "2008-02-29",
		// None of these is a date.
		"29.02.2007": "", "31.04.1990": "", "00.01.1990": "", "05.13.1990": "", "05.03.90": "", "вчера": "", "05.03": "", "5.3.19900": "",
		"+5.03.1990": "", "5.03.99999999": "",
	} {
		got, ok := ParseBirthDate(typed)
		if want == "" {
			if ok {
				t.Errorf("ParseBirthDate(%q) = %v, want a refusal", typed, got)
			}
			continue
		}
		if !ok || got.Format(time.DateOnly) != want {
			t.Errorf("ParseBirthDate(%q) = %v, %v, want %s", typed, got, ok, want)
		}
	}
}

// Each way of typing a date is understood or told what is wrong with it, and
// nobody guesses a century.
func TestTypedBirthDates(t *testing.T) {
	for want, all := range map[string][]string{
		"1990-03-05": {
			"05.03.1990", "5.3.1990", "5/3/1990", "05-03-1990", "05–03–1990", "05 03 1990", "5. 3. 1990", "05,03,1990", "05\u00a003\u00a01990", "05031990",
			"1990-03-05", "1990.03.05", "1990/3/5", "19900305", "05.03.1990.", "05.03.1990 г.", "05.03.1990г", "０５.０３.１９９０", "\ufeff05.03.1990", "05.03.1990\u200b", "5\\3\\1990",
		},
		"2008-02-29":  {"29.02.2008", "20080229", "2008-02-29"},
		"2010-10-20":  {"20102010", "20.10.2010"},
		"2001-12-20":  {"20122001", "20011220"},
		dateShortYear: {"5.3.90", "05.03.90", "5/3/90", "050390", "5-3-08", "5.3.008", "05 03 9"},
		dateNoMonth:   {"03/15/1990", "05.13.1990", "05.00.1990", "1990-13-05", "05991990"},
		dateNoDay:     {"31.02.1990", "29.02.2007", "31.04.1990", "32.01.1990", "00.01.1990", "1990-02-30", "31021990", "0000-01-01", "01.01.0000"},
		dateMalformed: {
			"", "вчера", "5 марта 1990", "05.03", "1990", "05.03.19900", "+5.03.1990", "-5.03.-1990x", "5.3.1990.1", "005.03.1990", "05.003.1990", "0503199", "123456789", "05.03.1990 12:00", "NULL", "٠x",
		},
	} {
		for _, typed := range all {
			got, fault := readBirthDate(typed)
			if fault == "" {
				fault = got.Format(time.DateOnly)
			}
			if fault != want {
				t.Errorf("%q is %s, want %s", typed, fault, want)
			}
		}
	}
}
