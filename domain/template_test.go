package domain

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckTemplate(t *testing.T) {
	long := strings.Repeat("я", templateCharacters-len("{promo}"))
	for _, c := range []struct {
		name  string
		kind  MessageKind
		typed string
		want  string // as it is kept, or the key of the fault
	}{
		{"as it is", ReferralMessage, "Ваш промокод {promo}", "Ваш промокод {promo}"},
		{"spaces and lines round it", ReferralMessage, " \r\n{promo}\r\nдо{until} \n", "{promo}\nдо{until}"},
		{"every place", ReferralMessage, "{brand} {promo} {discount} {left}{until} {link}", "{brand} {promo} {discount} {left}{until} {link}"},
		{"the same place twice", TrialMessage, "{promo}, {promo}", "{promo}, {promo}"},
		{"an emoji of several characters", TrialMessage, "👨‍👩‍👧 {promo}", "👨‍👩‍👧 {promo}"},
		{"no place at all", StoppedMessage, "Больше не пишем.", "Больше не пишем."},
		{"a place alone", StoppedMessage, "{brand}", "{brand}"},
		{"as long as may be", ReferralMessage, long + "{promo}", long + "{promo}"},

		{"nothing", StoppedMessage, "", "templates.empty"},
		{"blank", StoppedMessage, " \n\t ", "templates.empty"},
		{"only what may be empty", GiftMessage, "{gift} {link}", "templates.empty"},
		{"too long", ReferralMessage, long + "!{promo}", "templates.too_long"},
		{"unknown", ReferralMessage, "{promo} {foo}", "templates.unknown_place"},
		{"in capitals", ReferralMessage, "{Promo}", "templates.unknown_place"},
		{"with spaces", ReferralMessage, "{ promo }", "templates.unknown_place"},
		{"without a name", ReferralMessage, "{promo} {}", "templates.unknown_place"},
		{"of another kind", StoppedMessage, "{brand} {promo}", "templates.unknown_place"},
		{"not closed", ReferralMessage, "{promo", "templates.braces"},
		{"not opened", ReferralMessage, "{promo} promo}", "templates.braces"},
		{"opened twice", ReferralMessage, "{{promo}}", "templates.braces"},
		{"the wrong way round", ReferralMessage, "}promo{", "templates.braces"},
		{"the required one is missing", ReferralMessage, "{brand}", "templates.place_missing"},
		{"the same for a trial", TrialMessage, "{brand}", "templates.place_missing"},
		{"a tab", ReferralMessage, "{promo}\tx", "templates.no_text"},
		{"a bell", ReferralMessage, "{promo}\a", "templates.no_text"},
		{"a character that turns the rest round", ReferralMessage, "{promo} \u202e", "templates.no_text"},
		{"one without any width", ReferralMessage, "{pro\u200bmo}", "templates.no_text"},
		{"a line separator", ReferralMessage, "{promo}\u2028x", "templates.no_text"},
		{"a broken character", ReferralMessage, "{promo}\xff", "templates.no_text"},
		{"a lone carriage return", ReferralMessage, "{promo}\rx", "templates.no_text"},

		{"the code first", CodeMessage, "{code} — ваш код", "{code} — ваш код"},
		{"the code alone", SelfCodeMessage, "{code}", "{code}"},
		{"the code after spaces", CodeMessage, "  {code}. {brand}", "{code}. {brand}"},
		{"no code", CodeMessage, "{brand}", "templates.place_missing"},
		{"the code later", CodeMessage, "Код {code}", "templates.code_first"},
		{"the brand before it", SelfCodeMessage, "{brand}: {code}", "templates.code_first"},
		{"a digit after the code", CodeMessage, "{code}5", "templates.code_apart"},
		{"a letter after the code", CodeMessage, "{code}код", "templates.code_apart"},
		{"a value after the code", CodeMessage, "{code}{store}", "templates.code_apart"},
	} {
		got, fault := CheckTemplate(c.kind, c.typed)
		if fault != nil {
			got = fault.Key
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A fault says where to look.
func TestCheckTemplateTells(t *testing.T) {
	for typed, want := range map[string]string{"{promo} {foo}": "{foo}", "{promo} {": "{", "x } {promo}": "} {promo}", "{brand": "{brand"} {
		_, fault := CheckTemplate(ReferralMessage, typed)
		if fault == nil || fault.Data["Place"] != want && fault.Data["Around"] != want {
			t.Errorf("%q: %+v, want it to name %q", typed, fault, want)
		}
	}
	if _, fault := CheckTemplate(ReferralMessage, "{promo} я\u202e"); fault == nil || fault.Data["Place"] != 10 || fault.Data["Code"] != "U+202E" {
		t.Errorf("an invisible character: %+v", fault)
	}
}

// The texts that the program brings pass its own judgement, with each value
// that they hold.
func TestBuiltInTemplatesPass(t *testing.T) {
	if len(templates) != len(templateKinds()) || len(places) != len(templateKinds()) {
		t.Errorf("%d kinds, %d with texts, %d with places", len(templateKinds()), len(templates), len(places))
	}
	for _, kind := range templateKinds() {
		for _, language := range templateLanguages() {
			body := templates[kind][language]
			if got, fault := CheckTemplate(kind, body); fault != nil || got != body {
				t.Errorf("%s, %s: %q, %+v", kind, language, got, fault)
			}
		}
	}
}

// Whatever is accepted, filled in, has no brace left and holds what it can't
// do without; and what is kept is accepted again as it is.
func TestCheckTemplateProperty(t *testing.T) {
	pieces := []string{
		"{code}", "{promo}", "{brand}", "{store}", "{discount}", "{left}", "{until}", "{gift}", "{link}", "{foo}", "{", "}", "{}",
		" ", "\n", "\r\n", "\t", "я", "a", "5", ".", "—", "😀", "\u200b", "\u202e", "code", "promo",
	}
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(templateKinds()).Draw(t, "kind")
		pool := pieces
		if rapid.Bool().Draw(t, "sound") {
			pool = []string{" ", "\n", "\r\n", "я", "a", "5", ".", "—", "😀"}
			for _, p := range places[kind] {
				pool = append(pool, "{"+p.Name+"}")
			}
		}
		typed := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pool), 0, 8).Draw(t, "text"), "")
		if p := places[kind][0]; rapid.Bool().Draw(t, "begins well") {
			typed = "{" + p.Name + "} " + typed
		}
		body, fault := CheckTemplate(kind, typed)
		if fault != nil {
			return
		}
		accepted++
		if again, fault := CheckTemplate(kind, body); fault != nil || again != body {
			t.Fatalf("%q is kept as %q, which becomes %q, %+v", typed, body, again, fault)
		}
		values := map[string]string{}
		for _, p := range places[kind] {
			if values[p.Name] = "<" + p.Name + ">"; slices.Contains(mayBeEmpty, p.Name) && rapid.Bool().Draw(t, p.Name+" is empty") {
				values[p.Name] = ""
			}
		}
		text := fillTemplate(body, values)
		if text == "" || strings.ContainsAny(text, "{}") {
			t.Fatalf("%s: %q becomes %q", kind, body, text)
		}
		for _, p := range places[kind] {
			if p.Required && !strings.Contains(text, values[p.Name]) {
				t.Fatalf("%s: %q lacks %s", kind, text, p.Name)
			}
		}
		if kind.OfCode() && !strings.HasPrefix(text, values["code"]) {
			t.Fatalf("%q does not begin with the code", text)
		}
	})
	if accepted < 10 {
		t.Errorf("only %d texts were accepted", accepted)
	}
}

func FuzzCheckTemplate(f *testing.F) {
	for _, kind := range templateKinds() {
		f.Add(string(kind), builtInTemplate(kind, "ru"))
	}
	f.Add("referral", "{promo} {{} }\r\n")
	f.Fuzz(func(t *testing.T, kind, typed string) {
		body, fault := CheckTemplate(MessageKind(kind), typed)
		if (fault == nil) == (body == "") {
			t.Fatalf("%q: %q, %+v", typed, body, fault)
		}
		values := map[string]string{}
		for _, p := range places[MessageKind(kind)] {
			values[p.Name] = "x"
		}
		if text := fillTemplate(body, values); strings.ContainsAny(text, "{}\r") {
			t.Fatalf("%q becomes %q", typed, text)
		}
	})
}

// What looks like a place in a value is a part of that value.
func TestFillTemplateOnce(t *testing.T) {
	values := map[string]string{"brand": "{code} {until}", "code": "0412{brand}", "until": "{until}", "store": "}{"}
	for text, want := range map[string]string{
		"{code} {brand}": "0412{brand} {code} {until}", "{until}": "{until}", "{store}code}": "}{code}", "{brand}{brand}": "{code} {until}{code} {until}",
		" {foo} ": "{foo}",
	} {
		for range 20 { // the order of a map is another one each time
			if got := fillTemplate(text, values); got != want {
				t.Fatalf("%q becomes %q, want %q", text, got, want)
			}
		}
	}
}

// Samples are nobody's: no customer has this promo code or this page.
func TestSamples(t *testing.T) {
	if !tenDigits(samplePromo) || dammValid(samplePromo) {
		t.Errorf("%s might be somebody's promo code", samplePromo)
	}
	if token := linkToken(pageToken); len(samplePage) != len(token) {
		t.Errorf("the page of a sample has %d characters, a real one %d", len(samplePage), len(token))
	}
}

func TestBesideLink(t *testing.T) {
	values := map[string]string{
		"brand": "Аура", "promo": "123 456 7890", "discount": "15%", "until": " Действует до 31.12.2026.", "gift": ": кружка", "link": "https://shop.example/m/x",
	}
	bare := maps.Clone(values)
	bare["until"], bare["gift"] = "", ""
	for _, c := range []struct {
		body           string
		values         map[string]string
		before, behind string
	}{
		{"{promo} {link}", values, "", ""},
		{"{promo}\n{link}\n{brand}", values, "", ""},
		{"({promo}) {link} .", values, "", ""},
		{"Без ссылки.", values, "", ""},
		{"«{link} »", values, "", ""},
		{"{promo}: {link}.", values, "", "."},
		{"{link}, {promo}", values, "", ","},
		{"({link})", values, "", ")"},
		{"{link};", values, "", ";"}, {"{link}!", values, "", "!"}, {"{link}?", values, "", "?"}, {"«{link}»", values, "", "»"},
		{"“{link}”", values, "", "”"}, {"{link}…", values, "", "…"}, {"{link}:", values, "", ":"}, {"{link}'", values, "", "'"}, {"{link}—", values, "", "—"},
		{"{link}/", values, "", "/"}, {"{link}#", values, "", "#"}, {"{link}👍", values, "", "👍"},
		{"{link}ждём", values, "", "ж"}, {"{link}5", values, "", "5"},
		{"{link}\u00a0{promo}", values, "", "U+00A0"}, {"{link}\u3000.", values, "", "U+3000"},
		{"тут{link} ", values, "т", ""}, {"7{link}", values, "7", ""}, {"a_{link}", values, "_", ""}, {"е\u0301{link}", values, "\u0301", ""},
		{"тут:{link} ", values, "", ""},
		{"{link}{promo}", values, "", "{promo}"}, {"{promo}{link}", values, "{promo}", ""}, {"{discount}{link}", values, "", ""},
		{"{link}{link}", values, "{link}", "{link}"},
		{"{link}. {link}! {link}.", values, "", ". !"},
		// What may be empty is looked at, and past.
		{"{link}{until}", values, "", ""}, {"{link}{until}.", values, "", "."}, {"{link}{until}", bare, "", ""}, {"{link}{until}.", bare, "", "."},
		{"{link}{gift}", values, "", "{gift}"}, {"{link}{gift}!", values, "", "{gift} !"}, {"{link}{gift} ", bare, "", ""}, {"{link}{gift}!", bare, "", "!"},
		{"слово{until}{link}", values, "о", ""}, {"слово{until}{link}", bare, "о", ""}, {"слово{gift}{link}", values, "{gift} о", ""},
	} {
		before, behind := besideLink(c.body, c.values)
		if strings.Join(before, " ") != c.before || strings.Join(behind, " ") != c.behind {
			t.Errorf("%q: before %q, behind %q", c.body, before, behind)
		}
	}
	for kind, texts := range templates {
		for language, body := range texts {
			for _, v := range []map[string]string{values, bare} {
				if before, behind := besideLink(body, v); before != nil || behind != nil {
					t.Errorf("what the program brings, %s in %s: before %q, behind %q", kind, language, before, behind)
				}
			}
		}
	}
}
