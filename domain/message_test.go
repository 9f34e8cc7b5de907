package domain

import (
	"testing"
	"time"
	"unicode/utf8"
)

func at(t *testing.T, zone, local string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	got, err := time.ParseInLocation("2006-01-02 15:04", local, loc)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestNextDayAt(t *testing.T) {
	s := testService()
	for _, c := range []struct{ zone, now, want string }{
		{"Europe/Moscow", "2026-11-23 19:30", "2026-11-24 11:00"},
		{"Europe/Moscow", "2026-11-23 00:05", "2026-11-24 11:00"},
		{"Europe/Moscow", "2026-12-31 23:59", "2027-01-01 11:00"},
		// Half past ten in the evening in Yekaterinburg is still today in
		// Moscow and in UTC: the store's day counts.
		{"Asia/Yekaterinburg", "2026-11-23 23:30", "2026-11-24 11:00"},
		// A day of 23 hours.
		{"Europe/Berlin", "2026-03-28 15:00", "2026-03-29 11:00"},
	} {
		got := s.NextDayAt(Store{TimeZone: c.zone}, at(t, c.zone, c.now).UTC())
		if want := at(t, c.zone, c.want); !got.Equal(want) {
			t.Errorf("%s %s: %v, want %v", c.zone, c.now, got, want)
		}
	}
}

func TestNextAllowed(t *testing.T) {
	s := testService()
	const zone = "Asia/Yekaterinburg"
	for now, want := range map[string]string{
		"2026-11-23 11:00": "2026-11-23 11:00",
		"2026-11-23 09:00": "2026-11-23 09:00",
		"2026-11-23 20:59": "2026-11-23 20:59",
		"2026-11-23 08:59": "2026-11-23 09:00",
		"2026-11-23 00:00": "2026-11-23 09:00",
		"2026-11-23 21:00": "2026-11-24 09:00",
		"2026-11-30 23:59": "2026-12-01 09:00",
	} {
		if got := s.nextAllowed(Store{TimeZone: zone}, at(t, zone, now).UTC()); !got.Equal(at(t, zone, want)) {
			t.Errorf("%s: %v, want %s", now, got, want)
		}
	}
}

// The code comes first, so that it can be read on a locked screen; then brand,
// store and purpose.
func TestCodeTemplate(t *testing.T) {
	values := map[string]string{"code": "0412", "brand": "Аура", "store": "Европейский"}
	want := "0412 — ваш код. Аура, магазин «Европейский». Назовите его консультанту, чтобы подтвердить телефон."
	if got := renderTemplate(CodeMessage, "ru", values); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := renderTemplate(CodeMessage, "de", values); got != want {
		t.Errorf("a language without a template gives %q, want the Russian one", got)
	}
}

func TestDiscountInWords(t *testing.T) {
	for d, want := range map[Discount]string{
		{Percent: 15}: "15%", {Kopecks: 50000}: "500 ₽", {Kopecks: 50050}: "500,50 ₽", {Kopecks: 105}: "1,05 ₽",
	} {
		if got := d.inWords(); got != want {
			t.Errorf("%+v in words is %q, want %q", d, got, want)
		}
	}
}

// The last line of an SMS is what a phone reads to offer the code on our page
// and on no other (WICG, "Origin-bound one-time codes delivered via SMS"). With
// it a code takes two parts of 67 characters, as it did without it.
func TestCodeIsBoundToOurSite(t *testing.T) {
	s := testService()
	for site, want := range map[string]string{
		"https://shop.example": "\n@shop.example #0412", "https://shop.example:8443": "\n@shop.example #0412",
		"http://127.0.0.1:8080": "\n@127.0.0.1 #0412", "http://[::1]:8080": "\n@::1 #0412", "": "",
	} {
		s.SiteURL = site
		if got := s.boundTo("0412"); got != want {
			t.Errorf("%q: %q, want %q", site, got, want)
		}
	}
	s.SiteURL = "https://prilavok.example"
	values := map[string]string{"code": "0412", "brand": "Аура", "store": "Европейский"}
	for _, kind := range []MessageKind{CodeMessage, SelfCodeMessage} {
		if n := utf8.RuneCountInString(renderTemplate(kind, "ru", values) + s.boundTo("0412")); n > 2*67 {
			t.Errorf("%s has %d characters: three parts", kind, n)
		}
	}
}
