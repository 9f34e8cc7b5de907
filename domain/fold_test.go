package domain

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// Every character of every category, put into each kind of what people type.
func TestFoldEveryCharacter(t *testing.T) {
	t.Parallel()
	// What becomes of a character: itself, one space, nothing, an ASCII digit.
	const same, space, gone, digit = "same", "space", "gone", "digit"
	type fate struct{ number, line, template string } // a template is kept as it is, or refused
	fates := map[string]fate{
		"Cc": {space, space, gone}, "Zs": {space, space, same}, "Zl": {space, space, gone}, "Zp": {space, space, gone},
		"Cf": {gone, gone, gone}, "Co": {same, gone, gone}, "Nd": {digit, same, same},
	}
	for _, c := range []string{"Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nl", "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So"} {
		fates[c] = fate{same, same, same}
	}
	// The exceptions, each by what it is and not by its category.
	special := func(r rune, f fate) fate {
		switch {
		case r == '\n': // ends a line
			f.template = same
		case r == '\u200c', r == '\u200d', unicode.Is(unicode.Variation_Selector, r): // joins
			f = fate{gone, same, same}
		case strings.ContainsRune("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc\U00016fe4\U0001d159", r): // blank by design
			f = fate{gone, gone, gone}
		case r == unicode.ReplacementChar:
			f = fate{same, gone, gone}
		}
		return f
	}
	becomes := func(what, around, got string, r rune, want string) {
		t.Helper()
		before, after := around[:len(around)/2], around[len(around)/2:]
		between, ok := strings.CutPrefix(strings.TrimSuffix(got, after), before)
		switch want {
		case same:
			ok = ok && between == string(r)
		case space:
			ok = ok && between == " "
		case gone:
			ok = ok && between == ""
		case digit:
			ok = ok && len(between) == 1 && between[0] >= '0' && between[0] <= '9'
		}
		if !ok {
			t.Fatalf("%U in a %s: %q, want it %s", r, what, got, want)
		}
	}
	seen := map[string]int{}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		category := categoryOf(r)
		f, ok := fates[category]
		if r > 0xffff && r%64 != 0 && (category == "Co" || category == "" && !unicode.In(r, unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point)) {
			continue // nearly a million that are all alike
		}
		switch {
		case category == "Cs":
			continue // no text in UTF-8 holds one
		case category == "" && unicode.Is(unicode.Noncharacter_Code_Point, r):
			f = fate{same, gone, gone}
		case category == "" && unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			f = fate{gone, gone, gone}
		case category == "": // new emoji are unknown to this Unicode, and seen all the same
			f = fate{same, same, same}
		case !ok:
			t.Fatalf("%U is of a category that nobody thought of: %s", r, category)
		}
		seen[category]++
		f = special(r, f)
		plain := r
		if '！' <= r && r <= '～' && category != "Nd" {
			plain = r - '！' + '!'
		}
		number := foldDigits("12" + string(r) + "34")
		becomes("number", "1234", number, plain, f.number)
		login := foldLogin("AN" + string(r) + "NA")
		if want := strings.ToLower(foldDigits("an" + string(r) + "na")); login != want {
			t.Fatalf("%U in a login: %q, want %q", r, login, want)
		}
		if f.number != same {
			becomes("login", "anna", login, r, f.number)
		}
		line, name := foldLine("Пё"+string(r)+"тр"), foldName("Пё"+string(r)+"тр")
		becomes("line", "Пётр", line, r, f.line)
		becomes("name", "Пётр", name, r, f.line)
		body, fault := CheckTemplate(StoppedMessage, "Пи"+string(r)+"шем")
		switch {
		case r == '{' || r == '}':
		case f.template == gone && (fault == nil || fault.Key != "templates.no_text"):
			t.Fatalf("%U in a text to customers is not refused: %v", r, fault)
		case f.template == same && (fault != nil || body != "Пи"+string(r)+"шем"):
			t.Fatalf("%U in a text to customers: %q, %v", r, body, fault)
		}
		if foldDigits(number) != number || foldLogin(login) != login || foldLine(line) != line || foldName(name) != name {
			t.Fatalf("%U: folded twice it is another", r)
		}
		// Alone it is something only where somebody sees it.
		if alone := f.number != space && f.number != gone; untyped(string(r)) == alone {
			t.Fatalf("%U alone in a field of numbers: nothing %t", r, !alone)
		}
		if alone := foldLine(strings.Repeat(string(r), 3)); (alone != "") != (f.line == same && !joins(r) && !unicode.IsMark(r)) {
			t.Fatalf("%U alone is the line %q", r, alone)
		}
	}
	for category := range fates {
		if seen[category] == 0 {
			t.Errorf("no character of the category %s", category)
		}
	}
	if seen["Nd"] < 600 {
		t.Errorf("%d digits; the test shows little", seen["Nd"])
	}
}

func categoryOf(r rune) string {
	for name, table := range unicode.Categories {
		if len(name) == 2 && name != "LC" && name != "Cn" && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// However joiners and selectors are strewn about, a text folded again is the
// same, none of them stands where it does nothing, and what joins letters or
// emoji stays.
func TestFoldJoiners(t *testing.T) {
	for typed, want := range map[string]string{
		"👨\u200d👩\u200d👧": "👨\u200d👩\u200d👧", "👩\u200d❤\ufe0f\u200d👨": "👩\u200d❤\ufe0f\u200d👨", "1\ufe0f\u20e3": "1\ufe0f\u20e3", "葛\U000e0100飾": "葛\U000e0100飾",
		"да\u200d": "да", "\u200cда": "да", "да \u200d нет": "да нет", "д\u200d\u200d\u200cа": "д\u200cа", "д\u200d\u200bа": "д\u200dа",
		"д\ufe0f\ufe0f\ufe0eа": "д\ufe0fа", "\ufe0f\u200dа": "а", "🏴\U000e0067\U000e0062\U000e007f": "🏴",
		" \u200d\ufe0f ": "", "\u200d\u200d": "", "а\u200b\u2028\tб\r\n": "а б",
	} {
		if got := foldLine(typed); got != want {
			t.Errorf("%+q folds to %+q, want %+q", typed, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		typed := rapid.StringOf(rapid.SampledFrom([]rune("аb1 .\u00a0\u200b\u200c\u200d\u202e\ufe0f\ufe0e\u180b❤\u0301\n"))).Draw(t, "typed")
		line := foldLine(typed)
		if again := foldLine(line); again != line {
			t.Fatalf("%+q folds to %+q, and that to %+q", typed, line, again)
		}
		if at, r, found := OutOfPlace(line); found {
			t.Fatalf("%+q folds to %+q, which a template refuses at %d: %U", typed, line, at, r)
		}
		visible := func(s string) string {
			return strings.Map(func(r rune) rune {
				if joins(r) || invisible(r) || unicode.IsSpace(r) {
					return -1
				}
				return r
			}, s)
		}
		if line != "" && visible(line) != visible(typed) {
			t.Fatalf("%+q folds to %+q and loses what is seen", typed, line)
		}
	})
}

func TestFoldDigitsByTheirValue(t *testing.T) {
	for typed, want := range map[string]string{
		"٠١٢١": "0121", "۷۸۹": "789", "०१२": "012", "１２３４": "1234", "\U0001d7ce\U0001d7d9\U0001d7e4\U0001d7ff": "0129",
		"\u2066+7 916\u2069 000-00-02": "+7 916 000-00-02", "\u200e1\u200f2\u00ad3\ufeff4": "1234", "\u00a01 2\u3000": "1 2",
	} {
		if got := foldDigits(typed); got != want {
			t.Errorf("%q folds to %q, want %q", typed, got, want)
		}
	}
}

func TestFoldName(t *testing.T) {
	for typed, want := range map[string]string{
		"  Пётр \t Иванов\n": "Пётр Иванов", "Анна-Мария": "Анна-Мария", "O'Brien": "O'Brien", "Нұрсұлтан": "Нұрсұлтан", "山田": "山田", "محمد": "محمد",
		"क्\u200dष": "क्\u200dष", "می\u200cخواهم": "می\u200cخواهم", "\u202eртёП": "ртёП", "Пётр\u2066\u2069": "Пётр", "Пётр\x00": "Пётр",
		"\u200b\u200d": "", "\u3164": "", "\u2800 \u2800": "", "\u115f\u1160": "", "...": "", "\u0301": "",
	} {
		if got := foldName(typed); got != want {
			t.Errorf("%q is the name %q, want %q", typed, got, want)
		}
	}
}

// Letters are no digits, and what stands behind a number is no part of it.
func TestPhoneWithLetters(t *testing.T) {
	s := Service{Settings: DefaultSettings()}
	for _, typed := range []string{
		"8 916 ABCDEFG", "8916ABCDEFG", "8 916 АБВГДЕЖ", "+7 916 000-00-02 доб. 5", "+7 916 000-00-02 ext. 5", "+79160000002;ext=5", "+79160000002x5", "+79160000002#5",
	} {
		if p := s.parsePhone(typed); p.fault == nil {
			t.Errorf("%q is taken for %s", typed, p.e164)
		}
	}
	for _, typed := range []string{
		"٨٩١٦٠٠٠٠٠٠٢", "\u2068+7 (916) 000-00-02\u2069", "+7\u2011916\u2011000\u201100\u201102", "tel:+79160000002", "\ufeff89160000002",
	} {
		if p := s.parsePhone(typed); p.e164 != "+79160000002" {
			t.Errorf("%q is %+v", typed, p)
		}
	}
}

// A code is judged as a whole: with blanks, dashes and marks round its digits,
// and never with one that is cut off.
func TestReadCodeWhole(t *testing.T) {
	s := Service{Settings: DefaultSettings()}
	for typed, want := range map[string]string{
		" 1234": "1234", "12-34": "1234", "1 2 3 4": "1234", "\u20661234\u2069": "1234", "٠١٢١": "0121", "１２３４": "1234", "12\u200b34": "1234",
		"12345": "", "123": "", "12a4": "", "①②③④": "", "": "",
	} {
		if got, ok := s.readCode(typed); ok != (want != "") || ok && got != want {
			t.Errorf("%q is read as %q, %t", typed, got, ok)
		}
	}
}

// What a messenger takes for a part of a link comes off; a token of any age
// survives.
func TestReadToken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[A-Za-z0-9_-]{22}`).Draw(t, "token")
		behind := rapid.SampledFrom([]string{"", ".", ",", ")", "!", "?", "»", "”", "…", ").", "\u00a0", ";", ":", "'", "\"", "]", "}", ">", "*", "~"}).Draw(t, "behind")
		if got := readToken(token + behind); got != token {
			t.Fatalf("%q is read as %q", token+behind, got)
		}
	})
	for _, typed := range []string{"", ".", "a.b", "a b", "\xff", "a/b", "%2e"} {
		if got := readToken(typed); got != "" {
			t.Errorf("%q is read as %q", typed, got)
		}
	}
	seen := map[string]bool{}
	for range 1000 {
		token := linkToken(22)
		if len(token) != 22 || strings.Trim(token, tokenAlphabet[:62]) != "" || seen[token] {
			t.Fatalf("drawn: %q", token)
		}
		seen[token] = true
	}
}

// Free answers are texts; a choice is a word of ours, taken as it is.
func TestCheckAnswers(t *testing.T) {
	questions := []Question{{ID: 1}, {ID: 2, Options: []Option{{Value: "a friend"}}}}
	for _, c := range []struct {
		free, choice string
		want         []Answer
		faulty       string
	}{
		{"\u2066от \u00a0друга\u202e\x00\r\n👨\u200d👩", "a friend", []Answer{{1, "от друга 👨\u200d👩"}, {2, "a friend"}}, ""},
		{"\u200b\u2060\u00a0", "", nil, ""},
		{"\u3164", "\u200b", nil, ""},
		{strings.Repeat("\u200b", 2*maxAnswer) + "да", "", []Answer{{1, "да"}}, ""},
		{strings.Repeat("я", maxAnswer+1), "", nil, QuestionField(1)},
		{"", "a friend\u200b", nil, QuestionField(2)},
	} {
		faults := map[string]Text{}
		got := checkAnswers(questions, map[int64]string{1: c.free, 2: c.choice}, faults)
		if _, faulty := faults[c.faulty]; !slices.Equal(got, c.want) || faulty != (c.faulty != "") || !faulty && len(faults) > 0 {
			t.Errorf("%+q, %+q: %v, faults %v", c.free, c.choice, got, faults)
		}
	}
}
