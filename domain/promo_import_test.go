package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const importTestHead = "code;discount_percent;discount_rub;uses;valid_until"

// readImport reads a text without a database: the codes of its good lines, and
// its faults as "line column key".
func readImport(text string) (codes []string, faults []string) {
	r := importReader{zone: time.UTC, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), first: map[string]int{}}
	r.read(text)
	for _, p := range r.codes {
		codes = append(codes, p.Code)
	}
	for _, f := range r.faults {
		faults = append(faults, strings.TrimSpace(fmt.Sprint(f.Line, " ", f.Column))+" "+strings.TrimPrefix(f.Text.Key, "promo_import."))
	}
	return codes, faults
}

// One table, as people have it: each of these shows the same two codes in a
// spreadsheet.
func TestImportTables(t *testing.T) {
	one, two := WithCheckDigit("012345678"), WithCheckDigit("987654321")
	head := importTestHead
	line := func(code string) string { return code + ";15;;1;31.12.2026" }
	grouped := FormatPromoCode(one)
	for name, text := range map[string]string{
		"plain":                         head + "\n" + line(one) + "\n" + line(two) + "\n",
		"no end of the last line":       head + "\n" + line(one) + "\n" + line(two),
		"Windows":                       head + "\r\n" + line(one) + "\r\n" + line(two) + "\r\n",
		"an old Mac":                    head + "\r" + line(one) + "\r" + line(two) + "\r",
		"all ends of lines":             head + "\r\n" + line(one) + "\r" + line(two) + "\n",
		"a mark":                        "\ufeff" + head + "\n" + line(one) + "\n" + line(two),
		"sep":                           "sep=;\r\n" + head + "\r\n" + line(one) + "\r\n" + line(two),
		"SEP in quotes after a mark":    "\ufeff\"SEP=;\"\n" + head + "\n" + line(one) + "\n" + line(two),
		"sep that was saved again":      "sep=;;;;;\n" + head + "\n" + line(one) + "\n" + line(two),
		"sep that decides":              "sep=,\ncode,discount_percent,discount_rub,uses,valid_until\n" + strings.ReplaceAll(line(one)+"\n"+line(two), ";", ","),
		"tabs":                          strings.ReplaceAll(head+"\n"+line(one)+"\n"+line(two), ";", "\t"),
		"tabs after sep":                "sep=\t\n" + strings.ReplaceAll(head+"\n"+line(one)+"\n"+line(two), ";", "\t"),
		"tabs and empty cells":          "code\tdiscount_percent\tdiscount_rub\tuses\tvalid_until\r\n" + one + "\t15\t\t1\t\r\n" + two + "\t\t99,50\t1\t\r\n",
		"commas":                        strings.ReplaceAll(head+"\n"+line(one)+"\n"+line(two), ";", ","),
		"upright strokes after sep":     "sep=|\n" + strings.ReplaceAll(head+"\n"+line(one)+"\n"+line(two), ";", "|"),
		"empty lines":                   "\n\n" + head + "\n\n" + line(one) + "\n   \n\t\n" + line(two) + "\n\n\n",
		"empty rows":                    ";;;;\r\n" + head + "\r\n;;;;\r\n" + line(one) + "\r\n ; ;\u00a0;;\r\n" + line(two) + "\r\n;;;;\r\n",
		"rows of empty quotes":          head + "\n\"\";\"\";\"\";\"\";\"\"\n" + line(one) + "\n" + line(two),
		"columns without a name":        head + ";;\n" + line(one) + ";;\n" + line(two) + ";;",
		"a row that is wider":           head + "\n" + line(one) + ";;;\n" + line(two),
		"blanks":                        " code ; discount_percent;discount_rub ;uses;valid_until\u00a0\n  " + one + " ; 15;\u00a0; 1 ; 31.12.2026 \n\t" + line(two),
		"invisible characters":          head + "\n\u200b\u2066" + line(one+"\u2069\ufeff") + "\n" + line("\u200e"+two),
		"capitals":                      strings.ToUpper(head) + "\n" + line(one) + "\n" + line(two),
		"quotes":                        `"code";"discount_percent";"discount_rub";"uses";"valid_until"` + "\n" + `"` + one + `";"15";"";"1";"31.12.2026"` + "\n" + line(two),
		"blanks outside of quotes":      head + "\n  \"" + one + "\"  ; \"15\" ;; \"1\";\"31.12.2026\" \n" + line(two),
		"a formula":                     head + "\n" + line(`="`+one+`"`) + "\n" + line(`="`+two+`"`),
		"a formula in quotes":           head + "\n" + line(`"=""`+one+`"""`) + "\n" + line(two),
		"blanks round a formula":        head + "\n" + line(` ="`+one+`" `) + "\n" + line(two),
		"a formula in every cell":       `="code";="discount_percent";="discount_rub";="uses";="valid_until"` + "\n" + `="` + one + `";="15";="";="1";="31.12.2026"` + "\n" + line(two),
		"a formula and commas":          strings.ReplaceAll(head+"\n"+line(`="`+one+`"`)+"\n"+line(two), ";", ","),
		"an apostrophe":                 head + "\n" + line("'"+one) + "\n" + line(two),
		"grouped":                       head + "\n" + line(grouped) + "\n" + line(strings.ReplaceAll(FormatPromoCode(two), " ", "-")),
		"grouped by no-break spaces":    head + "\n" + line(strings.ReplaceAll(grouped, " ", "\u00a0")) + "\n" + line(two),
		"a line break within a cell":    head + "\n" + line("\""+one+"\n\"") + "\n" + line(two),
		"a day with midnight":           head + "\n" + one + ";15;;1;31.12.2026 0:00\n" + two + ";15;;1;2026-12-31 00:00:00",
		"per cent with its sign":        head + "\n" + one + ";15%;;1;\n" + two + ";15 %;;1;",
		"another order":                 "uses;valid_until;code;discount_rub;discount_percent\n1;;" + one + ";;15\n1;;" + two + ";;15",
		"the end of a file of DOS":      head + "\r\n" + line(one) + "\r\n" + line(two) + "\r\n\x1a",
		"a quote that is one of a cell": head + "\n" + line(one) + "\n" + line(two) + "\n\"\"",
	} {
		codes, faults := readImport(text)
		if !slices.Equal(codes, []string{one, two}) || len(faults) > 0 {
			t.Errorf("%s: %q, faults %q in\n%s", name, codes, faults, text)
		}
	}
}

// What a spreadsheet has made of a code is told in words, and is never taken
// for another code, whatever its digits happen to be.
func TestImportMangledCodes(t *testing.T) {
	// Nine digits of a code whose zero is lost, and a fraction: together they
	// are a well-formed code, of somebody else.
	whole := WithCheckDigit("012345678")
	if code, refusal := readPromoCode(whole[1:] + ".0"); refusal != nil || code != whole[1:]+"0" {
		t.Fatalf("%s.0 is no longer a code by itself (%q, %v): the test proves nothing", whole[1:], code, refusal)
	}
	for cell, want := range map[string]string{
		"1,23E+09": "scientific", "1.23457E+09": "scientific", "1,234567891E+09": "scientific", "1E+09": "scientific", "1,23e9": "scientific",
		"1,23Е+09": "scientific", "-1,2E+9": "scientific", "1,23 E+09": "scientific", "1,23E+09 ": "scientific", `="1,23E+09"`: "scientific", "'1,23E+09": "scientific",
		whole[1:] + ".0": "fractional", whole[1:] + ",0": "fractional", whole[1:] + ".": "fractional", whole + ".00": "fractional", "12345678.90": "fractional",
		"12 345 678,90": "fractional", "12\u00a0345\u00a0678.90": "fractional", "0,5": "fractional", `="` + whole[1:] + `.0"`: "fractional",
		whole[1:]: "lost_zeros", FormatPromoCode(whole)[1:]: "lost_zeros", WithCheckDigit("000345678")[3:]: "lost_zeros", "'" + whole[1:]: "lost_zeros",
		"##########": "ten_digits", "#ЗНАЧ!": "ten_digits", "12345": "ten_digits", whole + "0": "ten_digits", "": "ten_digits",
		"1,234,567,890": "ten_digits", whole[:9] + "х": "ten_digits", "=" + whole: "ten_digits",
	} {
		codes, faults := readImport(importTestHead + "\n\n" + `"` + strings.ReplaceAll(cell, `"`, `""`) + `";15;;1;` + "\n")
		if len(codes) > 0 || !slices.Equal(faults, []string{"3 code " + want}) {
			t.Errorf("%q: %q, %q, want %s", cell, codes, faults, want)
		}
	}
	// What it may have been is named, for the eye.
	if said := mangledCode(whole[1:]); said.Data["Code"] != FormatPromoCode(whole) {
		t.Errorf("%v", said)
	}
}

// A fault stands at its line, and lines beside it are judged by themselves.
func TestImportBrokenQuotes(t *testing.T) {
	one, two := WithCheckDigit("012345678"), WithCheckDigit("987654321")
	line := func(code string) string { return code + ";15;;1;" }
	for name, c := range map[string]struct {
		text   string
		codes  []string
		faults []string
	}{
		"never closed":             {line(`"`+one) + "\n" + line("12") + "\n" + line(two), []string{two}, []string{"2 quotes", "3 code ten_digits"}},
		"closed by another line":   {line(`"`+one) + "\n" + line("12") + "\n" + line(`"`+two+`"`), []string{two}, []string{"2 quotes", "3 code ten_digits"}},
		"amid a cell":              {line(one[:5]+`"`+one[5:]) + "\n" + line(two), []string{two}, []string{"2 quotes"}},
		"after a quoted cell":      {line(`"`+one+`"x`) + "\n" + line(two), []string{two}, []string{"2 quotes"}},
		"a formula never closed":   {line(`="`+one) + "\n" + line(two), []string{two}, []string{"2 quotes"}},
		"a line break in a cell":   {line("\"1\n2\"") + "\n" + line("12") + "\n" + line(two), []string{two}, []string{"2 code ten_digits", "4 code ten_digits"}},
		"after lines left out":     {"\r\n;;;;\r" + line("12") + "\r\n\n" + line(two), []string{two}, []string{"4 code ten_digits"}},
		"a cell too few, too many": {one + ";15;;1\n" + line(two) + ";x\n" + line(two), []string{two}, []string{"2 width", "3 width"}},
	} {
		for _, before := range []string{"", "sep=;\n"} {
			codes, faults := readImport(before + importTestHead + "\n" + c.text)
			want := slices.Clone(c.faults)
			if before != "" {
				for i, f := range want {
					want[i] = string(f[0]+1) + f[1:]
				}
			}
			if !slices.Equal(codes, c.codes) || !slices.Equal(faults, want) {
				t.Errorf("%s: %q, %q, want %q", name, codes, faults, want)
			}
		}
	}
}

// seen are the lines of a text, from 1, on which a spreadsheet shows something.
// It knows of no quotes, so it is for texts without.
func seen(text, separator string) map[int]bool {
	lines := map[int]bool{}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(text, "\ufeff"))
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimFunc(strings.ReplaceAll(line, separator, ""), blank) != "" {
			lines[i+1] = true
		}
	}
	return lines
}

// FuzzImport: whatever is uploaded, each line that shows something is either a
// code or has a fault with its number, and no other line has one.
func FuzzImport(f *testing.F) {
	one := WithCheckDigit("012345678")
	for _, seed := range []string{
		one + ";15;;1;", "\r\n" + one + ";15;;1;\r;;;;\n12", "x\x00;\xff\n\u2028;1\u0085\n", `="` + one + `";"15;;1;` + "\n\"\"\"\n", "\v\n\f\n;;;;;;;\n1,23E+09;;;;", "'\n''\n=\"\"\n",
	} {
		for _, separator := range []string{";", "\t", ","} {
			f.Add(strings.ReplaceAll(seed, ";", separator), separator)
		}
	}
	f.Fuzz(func(t *testing.T, body, separator string) {
		if !slices.Contains([]string{";", "\t", ","}, separator) || len(body) > 1<<16 {
			return
		}
		text := strings.ReplaceAll(importTestHead, ";", separator) + "\n" + body
		r := importReader{zone: time.UTC, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), first: map[string]int{}}
		r.read(text)
		last := strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") + 1
		faulty := map[int]bool{}
		for _, fault := range r.faults {
			if fault.Line < 2 || fault.Line > last {
				t.Fatalf("a fault in line %d of %d", fault.Line, last)
			}
			faulty[fault.Line] = true
		}
		if strings.Contains(body, `"`) {
			return // what a spreadsheet shows then is not so simple
		}
		shown := seen(text, separator)
		delete(shown, 1)
		for n := range faulty {
			if !shown[n] {
				t.Errorf("a fault in line %d, where nobody sees anything", n)
			}
		}
		// A line is a code or a fault. A code that stands twice is a fault of the
		// second line.
		if got := len(faulty) + len(r.codes); got != len(shown) {
			t.Errorf("%d lines show something; %d faulty, %d codes", len(shown), len(faulty), len(r.codes))
		}
	})
}
