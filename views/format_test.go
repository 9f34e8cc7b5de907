package views

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"
)

// plain turns no-break spaces into plain ones, so that the cases can be read.
func plain(s string) string { return strings.ReplaceAll(s, "\u00a0", " ") }

func TestMoney(t *testing.T) {
	ru, en := context.Background(), WithLanguage(context.Background(), English)
	for _, c := range []struct {
		kopecks int64
		ru, en  string
	}{
		{0, "0 ₽", "0 ₽"},
		{5, "0,05 ₽", "0.05 ₽"},
		{99900, "999 ₽", "999 ₽"},
		{399000, "3 990 ₽", "3,990 ₽"},
		{399050, "3 990,50 ₽", "3,990.50 ₽"},
		{123456789000, "1 234 567 890 ₽", "1,234,567,890 ₽"},
		{-150001, "−1 500,01 ₽", "−1,500.01 ₽"},
		{math.MinInt64, "−92 233 720 368 547 758,08 ₽", "−92,233,720,368,547,758.08 ₽"},
	} {
		if got := plain(Money(ru, c.kopecks)); got != c.ru {
			t.Errorf("Money(ru, %d) = %q, want %q", c.kopecks, got, c.ru)
		}
		if got := plain(Money(en, c.kopecks)); got != c.en {
			t.Errorf("Money(en, %d) = %q, want %q", c.kopecks, got, c.en)
		}
		if strings.Contains(Money(ru, c.kopecks), " ") {
			t.Errorf("Money(ru, %d) may break across lines", c.kopecks)
		}
	}
}

func TestPhones(t *testing.T) {
	for _, c := range []struct{ e164, shown, masked string }{
		{"+79161234567", "+7 916 123-45-67", "+7 916 •••-••-67"},
		{"+375291234567", "+37529 123-45-67", "+37529 •••-••-67"},
		{"", "", "•••"},
		{"123", "123", "•••"},
		{"+7916123456x", "+7916123456x", "•••"},
	} {
		if got := plain(Phone(c.e164)); got != c.shown {
			t.Errorf("Phone(%q) = %q, want %q", c.e164, got, c.shown)
		}
		if got := plain(MaskedPhone(c.e164)); got != c.masked {
			t.Errorf("MaskedPhone(%q) = %q, want %q", c.e164, got, c.masked)
		}
	}
}

// A sender that is no phone for us may hold somebody's number all the same.
func TestSenders(t *testing.T) {
	for from, want := range map[string]string{
		"+79161234567": "+7 916 •••-••-67", "MTS-Info": "MTS-Info", "2435": "2435", "Shop24": "Shop24", "": "•••",
		"0000123456789": "•••", "123456789-gate": "•••", "sip:12 34-56 7": "•••",
	} {
		if got := plain(senderName(from)); got != want {
			t.Errorf("senderName(%q) = %q, want %q", from, got, want)
		}
	}
}

func TestPromoCode(t *testing.T) {
	if got := plain(PromoCode("1234567890")); got != "123 456 7890" {
		t.Errorf("got %q", got)
	}
	if got := PromoCode("12"); got != "12" {
		t.Errorf("a code of another length became %q", got)
	}
}

// The store's clocks, not the server's, decide which day it is.
func TestTimes(t *testing.T) {
	ru, en := context.Background(), WithLanguage(context.Background(), English)
	yekaterinburg := time.FixedZone("Asia/Yekaterinburg", 5*3600)
	at := time.Date(2026, 11, 23, 20, 5, 0, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{DateTime(ru, at, yekaterinburg), "24.11.2026, 01:05"},
		{DateTime(en, at, yekaterinburg), "24 Nov 2026, 01:05"},
		{Date(ru, at, time.UTC), "23.11.2026"},
		{Clock(at, yekaterinburg), "01:05"},
		{DayAndTime(ru, at, time.UTC), "23 ноября в 20:05"},
		{DayAndTime(en, at, time.UTC), "23 November at 20:05"},
	} {
		if plain(c.got) != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
