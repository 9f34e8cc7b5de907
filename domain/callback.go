package domain

import (
	"net/url"
	"strings"
)

// ReadForm reads a query or the body of a form as a gateway sent it. Some put a
// customer's text in without escaping it, and net/url throws away each pair
// with a ";" or a "%" that begins no escape. Here nothing is lost: pairs end at
// "&" alone, the first "=" ends a name, a "+" is a space, and a "%" that
// begins no escape stays. A name may be empty, or come again: then it has all
// its values, in their order. Bytes that are no UTF-8 stay as they are, for
// whoever knows in which encoding they were sent.
//
// What url.Values.Encode has written reads back the same.
func ReadForm(text string) url.Values {
	form := url.Values{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		form.Add(unescape(name), unescape(value))
	}
	return form
}

func unescape(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, first := hexDigit(s[i+1])
			low, second := hexDigit(s[i+2])
			if first && second {
				b.WriteByte(high<<4 | low)
				i += 2
				continue
			}
		}
		if s[i] == '+' {
			b.WriteByte(' ')
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
