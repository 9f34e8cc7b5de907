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
	if got := fillTemplate(builtInTemplate(CodeMessage, "ru"), values); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := fillTemplate(builtInTemplate(CodeMessage, "de"), values); got != want {
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
		if n := utf8.RuneCountInString(fillTemplate(builtInTemplate(kind, "ru"), values) + s.boundTo("0412")); n > 2*67 {
			t.Errorf("%s has %d characters: three parts", kind, n)
		}
	}
}

// A night in which the clock is changed is an hour shorter or longer; the
// store's clock decides all the same.
func TestHoursWhenTheClockChanges(t *testing.T) {
	s := testService()
	const zone = "Europe/Berlin"
	for _, c := range []struct {
		now, want string
		pause     time.Duration
	}{
		{"2026-03-28 21:00", "2026-03-29 09:00", 11 * time.Hour},
		{"2026-03-29 00:30", "2026-03-29 09:00", 7*time.Hour + 30*time.Minute},
		{"2026-10-24 21:00", "2026-10-25 09:00", 13 * time.Hour},
		{"2026-10-25 08:59", "2026-10-25 09:00", time.Minute},
	} {
		now := at(t, zone, c.now).UTC()
		if got := s.nextAllowed(Store{TimeZone: zone}, now); !got.Equal(at(t, zone, c.want)) || got.Sub(now) != c.pause {
			t.Errorf("%s: %v, want %s", c.now, got, c.want)
		}
	}
}

// Each thing that allows a message stops it when it is gone, and alone.
func TestMayMessage(t *testing.T) {
	s := testService()
	now := time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC)
	s.Settings.MessagesPerWeek, s.Clock = 2, func() time.Time { return now }
	earlier, later := now.Add(-time.Hour), now.Add(time.Hour)
	allowed := func(change func(f *MessageFacts)) MessageFacts {
		f := MessageFacts{
			Message:     Message{Channel: ProgrammeChannel, Kind: ReferralMessage},
			ProgrammeOn: true, PersonalData: true, Communications: true, VerifiedAt: &earlier,
			About: PromoCode{State: PromoActive, MaxUses: 3, Used: 1, ExpiresAt: &later}, LastWeek: 1,
		}
		change(&f)
		return f
	}
	for _, c := range []struct {
		name   string
		change func(f *MessageFacts)
		want   string
	}{
		{"nothing in the way", func(*MessageFacts) {}, ""},
		{"no end", func(f *MessageFacts) { f.About.ExpiresAt = nil }, ""},
		{"erased", func(f *MessageFacts) { f.ErasedAt = &earlier }, "erased"},
		{"programme off", func(f *MessageFacts) { f.ProgrammeOn = false }, "programme_off"},
		{"no personal data", func(f *MessageFacts) { f.PersonalData = false }, "no_consent"},
		{"no communications", func(f *MessageFacts) { f.Communications = false }, "no_consent"},
		{"not verified", func(f *MessageFacts) { f.VerifiedAt = nil }, "not_verified"},
		{"frozen", func(f *MessageFacts) { f.About.State = PromoFrozen }, "code_dead"},
		{"void", func(f *MessageFacts) { f.About.State = PromoVoid }, "code_dead"},
		{"expired", func(f *MessageFacts) { f.About.ExpiresAt = &earlier }, "code_dead"},
		{"used up", func(f *MessageFacts) { f.About.Used = 3 }, "code_dead"},
		{"the week is full", func(f *MessageFacts) { f.LastWeek = 2 }, "week_full"},
		{"the week is more than full", func(f *MessageFacts) { f.LastWeek = 3 }, "week_full"},
		// A gift comes of a code that is used up, and goes when it is collected.
		{"gift", func(f *MessageFacts) { f.Kind, f.Gift, f.About.Used = GiftMessage, GiftEarned, 3 }, ""},
		{"gift collected", func(f *MessageFacts) { f.Kind, f.Gift = GiftMessage, GiftCollected }, "gift_gone"},
		{"gift for whom the week is full", func(f *MessageFacts) { f.Kind, f.Gift, f.LastWeek = GiftMessage, GiftEarned, 2 }, "week_full"},
		// An answer to STOP goes to whoever has just taken everything back.
		{"service", func(f *MessageFacts) {
			*f = MessageFacts{Message: Message{Channel: ServiceChannel, Kind: StoppedMessage}}
		}, ""},
		{"service for nobody", func(f *MessageFacts) { f.Channel, f.ErasedAt = ServiceChannel, &earlier }, "erased"},
	} {
		if got := s.mayMessage(allowed(c.change)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
