package views

import (
	"context"
	"strconv"
	"strings"
	"time"

	"prilavok/domain"
)

// noBreak is U+00A0: it keeps a sum on one line. Phones and codes have plain
// spaces, since people copy them into other programs.
const noBreak = "\u00a0"

// Money shows a sum of kopecks in roubles: "3 990 ₽", with kopecks only when
// there are any ("3 990,50 ₽", in English "3,990.50 ₽"). A negative sum gets a
// true minus sign. Nothing in it breaks across lines.
func Money(ctx context.Context, kopecks int64) string {
	group, point := noBreak, ","
	if Language(ctx) == English {
		group, point = ",", "."
	}
	sign, sum := "", uint64(kopecks)
	if kopecks < 0 {
		// -(x+1)+1 instead of -x: the smallest int64 has no positive twin.
		sign, sum = "−", uint64(-(kopecks+1))+1
	}
	digits := strconv.FormatUint(sum/100, 10)
	var b strings.Builder
	b.WriteString(sign)
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(group)
		}
		b.WriteRune(digit)
	}
	if rest := sum % 100; rest != 0 {
		b.WriteString(point)
		b.WriteString(strconv.FormatUint(rest/10, 10))
		b.WriteString(strconv.FormatUint(rest%10, 10))
	}
	return b.String() + noBreak + "₽"
}

// Phone shows an E.164 phone the way people read it aloud: "+7 916 123-45-67".
// Numbers of other countries keep their head together ("+37529 123-45-67"); what
// is too short for a phone comes back untouched.
func Phone(e164 string) string {
	head, tail, ok := splitPhone(e164)
	if !ok {
		return e164
	}
	return head + " " + tail[:3] + "-" + tail[3:5] + "-" + tail[5:]
}

// MaskedPhone hides the middle of a phone, for lists that others may see:
// "+7 916 •••-••-67".
func MaskedPhone(e164 string) string {
	head, tail, ok := splitPhone(e164)
	if !ok {
		return "•••"
	}
	return head + " •••-••-" + tail[5:]
}

// CustomerPhone is a masked phone on a screen of the staff, or the words for
// somebody who was erased.
func CustomerPhone(ctx context.Context, e164 string) string {
	if domain.ErasedPhone(e164) {
		return T(ctx, "phone.erased")
	}
	return MaskedPhone(e164)
}

// splitPhone parts the last seven digits from the country and area code.
func splitPhone(e164 string) (head, tail string, ok bool) {
	if len(e164) < 10 || e164[0] != '+' || strings.Trim(e164[1:], "0123456789") != "" {
		return "", "", false
	}
	head, tail = e164[:len(e164)-7], e164[len(e164)-7:]
	// +7 is Russia and Kazakhstan, whose area codes have three digits.
	if strings.HasPrefix(head, "+7") && len(head) == 5 {
		head = "+7 " + head[2:]
	}
	return head, tail, true
}

// PromoCode groups a ten-digit code 3-3-4, as it is spoken: "123 456 7890".
// A code of another length is shown as it is.
func PromoCode(code string) string {
	if len(code) != 10 {
		return code
	}
	return code[:3] + " " + code[3:6] + " " + code[6:]
}

// DateTime is for tables: "23.11.2026, 14:05" on the clocks of loc.
func DateTime(ctx context.Context, t time.Time, loc *time.Location) string {
	return Date(ctx, t, loc) + ", " + Clock(t, loc)
}

// Date is the day on the calendar of loc: "23.11.2026", in English "23 Nov 2026".
func Date(ctx context.Context, t time.Time, loc *time.Location) string {
	if Language(ctx) == English {
		return t.In(loc).Format("2 Jan 2006")
	}
	return t.In(loc).Format("02.01.2006")
}

// Clock is the time of day in loc: "14:05".
func Clock(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("15:04")
}

// DayAndTime is for sentences: "24 ноября в 11:00", "24 November at 11:00". It
// leaves the year out, so it suits only what is near.
func DayAndTime(ctx context.Context, t time.Time, loc *time.Location) string {
	local := t.In(loc)
	return T(ctx, "format.day_and_time",
		"Day", local.Day(),
		"Month", T(ctx, "month."+strconv.Itoa(int(local.Month()))),
		"Time", Clock(t, loc))
}
