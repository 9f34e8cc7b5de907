package domain

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// importSeparators stand between the cells of a line, the likeliest first.
const importSeparators = ";\t,"

// importTable makes of a text, as a spreadsheet saved it, what encoding/csv
// reads, and tells what stands between its cells. Lines stay where they are,
// so that a fault names the line of the file.
func importTable(text string) (table string, separator rune) {
	text = strings.TrimPrefix(text, "\ufeff")
	// A carriage return alone ends a line, as on old Macs.
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	first, rest, more := strings.Cut(text, "\n")
	if m := separatorLine.FindStringSubmatch(first); m != nil {
		// Excel's own line, which it does not show.
		separator, _ = utf8.DecodeRuneInString(m[1])
		text = rest
		if more {
			text = "\n" + rest
		}
	} else {
		separator = guessSeparator(text)
	}
	return tidyQuotes(text, separator), separator
}

var separatorLine = regexp.MustCompile(`(?i)^"?sep=([;,\t|])"?[;,\t| ]*$`)

// guessSeparator takes the one that stands most often in the first line that
// says anything.
func guessSeparator(text string) rune {
	head, best, most := "", ';', 0
	for line := range strings.Lines(text) {
		if head = line; strings.Trim(line, importSeparators+"\" \n") != "" {
			break
		}
	}
	for _, r := range importSeparators {
		if n := strings.Count(head, string(r)); n > most {
			best, most = r, n
		}
	}
	return best
}

// tidyQuotes rewrites the cells that spreadsheets show well and encoding/csv
// does not read: ="0123456786" without quotes round it, and blanks outside of
// quotes. A quote that never closes, or closes amid a later line, is made a
// fault of its own line, lest it swallows those below.
func tidyQuotes(text string, separator rune) string {
	var b strings.Builder
	for text != "" {
		cell := text[len(text)-len(strings.TrimLeftFunc(text, blankBut(separator))):]
		switch {
		case strings.HasPrefix(cell, `"`):
			n := quotedLength(cell, separator)
			if n == 0 {
				b.WriteByte('x') // a quote amid a cell is a fault to encoding/csv
				n = strings.IndexByte(cell+"\n", '\n')
			}
			b.WriteString(strings.TrimRightFunc(cell[:n], blankBut(separator)))
			text = cell[n:]
		case strings.HasPrefix(cell, `="`) && quotedLength(cell[1:], separator) > 0 && !strings.Contains(cell[:1+quotedLength(cell[1:], separator)], "\n"):
			n := 1 + quotedLength(cell[1:], separator)
			b.WriteString(`"` + strings.ReplaceAll(strings.TrimRightFunc(cell[:n], blankBut(separator)), `"`, `""`) + `"`)
			text = cell[n:]
		default:
			n := strings.IndexFunc(text, func(r rune) bool { return r == separator || r == '\n' })
			if n < 0 {
				n = len(text)
			}
			b.WriteString(text[:n])
			text = text[n:]
		}
		if text != "" { // the separator or the end of the line
			_, size := utf8.DecodeRuneInString(text)
			b.WriteString(text[:size])
			text = text[size:]
		}
	}
	return b.String()
}

// quotedLength is how long a cell is that begins with a quote, with the blanks
// behind it; 0 where the quote does not close at the end of the cell.
func quotedLength(cell string, separator rune) int {
	for i := 1; i < len(cell); i++ {
		if cell[i] != '"' {
			continue
		}
		if strings.HasPrefix(cell[i+1:], `"`) {
			i++ // a quote within
			continue
		}
		rest := strings.TrimLeftFunc(cell[i+1:], blankBut(separator))
		if r, _ := utf8.DecodeRuneInString(rest); rest != "" && r != separator && r != '\n' {
			return 0
		}
		return len(cell) - len(rest)
	}
	return 0
}

// blankBut tells what nobody sees within a line, other than its separator.
func blankBut(separator rune) func(rune) bool {
	return func(r rune) bool { return r != '\n' && r != separator && blank(r) }
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cc, r) || invisible(r) }

// importCell is a cell as a person sees it: without what is invisible round
// it, and without the formula or the apostrophe that keeps a spreadsheet from
// taking digits for a number.
func importCell(cell string) string {
	cell = strings.TrimFunc(cell, blank)
	if text, ok := strings.CutPrefix(cell, `="`); ok && strings.HasSuffix(text, `"`) {
		cell = strings.ReplaceAll(text[:len(text)-1], `""`, `"`)
	} else if text := strings.TrimFunc(strings.TrimPrefix(cell, "'"), blank); text != "" {
		cell = text
	}
	return strings.TrimFunc(cell, blank)
}

// importCells cleans the cells of a line and drops those that are empty beyond
// the columns: a spreadsheet saves them as wide as its widest line.
func importCells(cells []string) []string {
	out := make([]string, len(cells))
	for i, cell := range cells {
		out[i] = importCell(cell)
	}
	for len(out) > len(importColumns) && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// What becomes of a code that a spreadsheet took for a number.
var (
	scientific = regexp.MustCompile(`^[+-]?\d+([.,]\d+)?\s*[eEеЕ]\s*[+-]?\d+$`)
	fractional = regexp.MustCompile(`^[+-]?\d+[.,]\d*$`)
	midnight   = regexp.MustCompile(`[ T]0?0:00(:00([.,]0+)?)?$`) // of a day that it took for a moment
)

// mangledCode tells what a spreadsheet has done to a code; an empty key where
// it has done nothing. The code that it may have been is only ever named: who
// imports decides by the paper.
func mangledCode(cell string) Text {
	digits := withoutSpaces(cell)
	if scientific.MatchString(digits) {
		return Say("promo_import.scientific")
	}
	if fractional.MatchString(digits) {
		return Say("promo_import.fractional")
	}
	code := FoldPromoCode(digits)
	if n := len(code); n > 0 && n < promoDigits && strings.Trim(code, "0123456789") == "" {
		if whole := strings.Repeat("0", promoDigits-n) + code; dammValid(whole) {
			return Say("promo_import.lost_zeros", "Code", FormatPromoCode(whole))
		}
	}
	return Text{}
}

// isWorkbook tells a spreadsheet's own file from a text: a zip or an OLE file.
func isWorkbook(text string) bool {
	return strings.HasPrefix(text, "PK\x03\x04") || strings.HasPrefix(text, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
}
