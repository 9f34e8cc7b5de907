package domain

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCountSMS(t *testing.T) {
	x := strings.Repeat
	for _, c := range []struct {
		name, text              string
		unicode                 bool
		characters, parts, left int
	}{
		{"nothing", "", false, 0, 0, 160},
		{"one", "a", false, 1, 1, 159},
		{"a full GSM part", x("a", 160), false, 160, 1, 0},
		{"one more", x("a", 161), false, 161, 2, 145},
		{"two full GSM parts", x("a", 306), false, 306, 2, 0},
		{"one more than two", x("a", 307), false, 307, 3, 152},
		{"extension characters count twice", "€[]{}\\^~|", false, 18, 1, 142},
		{"an extension character fills a part", x("a", 158) + "€", false, 160, 1, 0},
		{"an extension character at the end", x("a", 159) + "€", false, 161, 2, 145},
		// 152 + 1 places: the escape and its character stay together, so the
		// first part keeps a place empty.
		{"an extension character at the border", x("a", 152) + "€" + x("a", 10), false, 164, 2, 141},
		{"the same in a text that would fit without the empty place", x("a", 152) + "€" + x("a", 152), false, 306, 3, 152},
		{"Greek and accents that GSM knows", "ΔΦΓΛΩ Ñandú", true, 11, 1, 59}, // ú is none of them
		{"GSM's own letters", "ΔΦΓΛΩ Ñoño à é ù", false, 16, 1, 144},
		{"a line break", "a\nb", false, 3, 1, 157},
		{"one Cyrillic letter", x("a", 69) + "я", true, 70, 1, 0},
		{"a full Cyrillic part", x("я", 70), true, 70, 1, 0},
		{"one more Cyrillic letter", x("я", 71), true, 71, 2, 63},
		{"two full Cyrillic parts", x("я", 134), true, 134, 2, 0},
		{"one more than two Cyrillic parts", x("я", 135), true, 135, 3, 66},
		{"an emoji counts twice", "😀", true, 2, 1, 68},
		{"an emoji fills a part", x("я", 68) + "😀", true, 70, 1, 0},
		{"an emoji at the border", x("я", 66) + "😀" + x("я", 10), true, 78, 2, 55},
		{"the same in a text that would fit without the empty place", x("я", 66) + "😀" + x("я", 66), true, 134, 3, 66},
	} {
		got := CountSMS(c.text)
		if want := (SMSSize{Unicode: c.unicode, Characters: c.characters, Parts: c.parts, Left: c.left}); got != want {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
}

// What is left is just what fits: so many more letters take no further part,
// and one more does.
func TestCountSMSLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "€", "{", " ", "é", "я", "😀", "—"}), 1, 500).Draw(t, "text"), "")
		size := CountSMS(text)
		if full := CountSMS(text + strings.Repeat("a", size.Left)); full.Parts != size.Parts || full.Left != 0 || full.Unicode != size.Unicode {
			t.Fatalf("%+v, and with %d letters more %+v", size, size.Left, full)
		}
		if over := CountSMS(text + strings.Repeat("a", size.Left+1)); over.Parts != size.Parts+1 {
			t.Fatalf("%+v, and with a letter too many %+v", size, over)
		}
		if size.Unicode != (len(Costly(text)) > 0) {
			t.Fatalf("%+v, made so by %q", size, Costly(text))
		}
	})
}

func TestCostly(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "store [A] €5": "", "store “A”, “B”": "“”", "день": "день", "a—b—c": "—",
	} {
		if got := strings.Join(Costly(text), ""); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
