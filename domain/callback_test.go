package domain

import (
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestReadForm(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       url.Values
	}{
		{"nothing", "", url.Values{}},
		{"no pair", "&&&", url.Values{}},
		{"a form", "from=7916&text=%D0%A1%D0%A2%D0%9E%D0%9F+%26+co", url.Values{"from": {"7916"}, "text": {"СТОП & co"}}},
		{"a semicolon", "from=7916&text=стоп; спасибо", url.Values{"from": {"7916"}, "text": {"стоп; спасибо"}}},
		{"one between pairs", "a=1;b=2", url.Values{"a": {"1;b=2"}}},
		{"one in a name", "a;b=2", url.Values{"a;b": {"2"}}},
		{"a percent sign", "text=скидка 100%", url.Values{"text": {"скидка 100%"}}},
		{"one before no escape", "text=100% нет&id=5", url.Values{"text": {"100% нет"}, "id": {"5"}}},
		{"half an escape", "text=%4&id=%", url.Values{"text": {"%4"}, "id": {"%"}}},
		{"one before an escape", "text=%%41%zz%4%41", url.Values{"text": {"%A%zz%4A"}}},
		{"an escaped percent sign", "text=%2541", url.Values{"text": {"%41"}}},
		{"small and capital digits", "text=%d0%b0%D0%B0", url.Values{"text": {"аа"}}},
		{"spaces", "te+xt=a+b%2Bc d", url.Values{"te xt": {"a b+c d"}}},
		{"an equals sign in a value", "text=a=b==", url.Values{"text": {"a=b=="}}},
		{"no value", "seen&text=", url.Values{"seen": {""}, "text": {""}}},
		{"no name", "=x&=y&=", url.Values{"": {"x", "y", ""}}},
		{"the same name again", "m=1&text=a&m=2&m=1", url.Values{"m": {"1", "2", "1"}, "text": {"a"}}},
		{"no UTF-8", "text=%ff\xfe&\xd1=1", url.Values{"text": {"\xff\xfe"}, "\xd1": {"1"}}},
		{"UTF-16", "text=%04!%04B%00;", url.Values{"text": {"\x04!\x04B\x00;"}}},
		{"NUL and ends of lines", "text=a%00b\r\nc", url.Values{"text": {"a\x00b\r\nc"}}},
	} {
		if got := ReadForm(c.text); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// Whatever comes, each byte of it is in a name or a value, or one of those that
// stand between them; what net/url can read is read as it reads it; and what it
// has written reads back the same.
func FuzzReadForm(f *testing.F) {
	for _, text := range []string{"a=1&b=2", "text=стоп;&x=100%", "%%41=%4&=&&", "a=\xff%ff+", "=", "m=1&m=2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := ReadForm(text)
		bytes, pairs := 0, 0
		for name, values := range got {
			for _, v := range values {
				bytes += len(name) + len(v)
				pairs++
			}
		}
		came, want := 0, 0
		for pair := range strings.SplitSeq(text, "&") {
			if pair == "" {
				continue
			}
			came++
			want += len(pair) - 2*len(escape.FindAllString(pair, -1))
			if strings.Contains(pair, "=") {
				want--
			}
		}
		if pairs != came || bytes != want {
			t.Errorf("%q: %d pairs of %d bytes, want %d of %d: %q", text, pairs, bytes, came, want, got)
		}
		if strict, err := url.ParseQuery(text); err == nil && !reflect.DeepEqual(strict, got) {
			t.Errorf("%q: %q, net/url reads %q", text, got, strict)
		}
		if again := ReadForm(got.Encode()); !reflect.DeepEqual(again, got) {
			t.Errorf("%q: %q reads back as %q", text, got, again)
		}
		// Any names and values at all, not only those that a text can hold.
		half := len(text) / 2
		made := url.Values{text[:half]: {text[half:], text, ""}, text: {text[:half]}}
		if again := ReadForm(made.Encode()); !reflect.DeepEqual(again, made) {
			t.Errorf("%q reads back as %q", made, again)
		}
	})
}
