package domain

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxImport is how long an imported text may be, in bytes.
const MaxImport = 1 << 20

// importColumns are the columns that an import has, each once, in any order.
var importColumns = []string{"code", "discount_percent", "discount_rub", "uses", "valid_until"}

// ImportColumns names them as the first line does.
func ImportColumns() []string { return slices.Clone(importColumns) }

// ImportForm is codes from elsewhere: a text of lines such as
// "1234567890;15;;1;31.12.2026" below a line with the columns.
type ImportForm struct {
	RequestID   string
	ProgrammeID int64 // 0 where there is only one to choose
	Title       string
	Text        string // any bytes
}

// ImportFault is one thing that is wrong with one line.
type ImportFault struct {
	Line   int    // in the text, from 1
	Column string // one of the columns; empty: the line as a whole
	Text   Text
}

// ImportFaults is the error of a text that was not imported.
type ImportFaults []ImportFault

func (f ImportFaults) Error() string { return "the import has faulty lines" }

// ImportCodes adds the codes of a text as one batch. Every line is good or
// nothing is imported: then the error is of kind Invalid on the field "text"
// and wraps ImportFaults, which name every fault of every line. The same
// request again answers with the batch that it made.
func (s *Service) ImportCodes(ctx context.Context, a Actor, f ImportForm) (PromoBatch, error) {
	fields := map[string]Text{}
	batch, err := s.newBatch(ctx, a, f.RequestID, f.ProgrammeID, f.Title, fields)
	if err != nil {
		return PromoBatch{}, err
	}
	batch.Imported = true
	// What this request has imported already is taken now, by itself.
	switch earlier, err := s.DB.PromoBatchByRequest(ctx, f.RequestID); {
	case err == nil && earlier.StaffID == a.ID:
		return earlier, nil
	case err == nil:
		return PromoBatch{}, notFound()
	case !IsNotFound(err):
		return PromoBatch{}, err
	}
	loc, err := s.promoZone(ctx, s.DB, a, batch.ProgrammeID)
	if err != nil {
		return PromoBatch{}, err
	}
	var lines importReader
	switch {
	case isWorkbook(f.Text):
		fields["text"] = Say("promo_import.workbook")
	case strings.TrimSpace(f.Text) == "":
		fields["text"] = Say("promo_import.empty")
	case len(f.Text) > MaxImport:
		fields["text"] = Say("promo_import.too_long")
	default:
		lines = importReader{zone: loc, now: s.now(), like: batchCode(batch), first: map[string]int{}}
		lines.read(f.Text)
		if len(lines.faults) == 0 && len(lines.codes) == 0 {
			fields["text"] = Say("promo_import.empty")
		}
	}
	if len(fields) > 0 || len(lines.faults) > 0 {
		taken, err := s.DB.TakenPromoCodes(ctx, lines.digits())
		if err != nil {
			return PromoBatch{}, err
		}
		lines.taken(taken)
		return PromoBatch{}, lines.refuse(fields)
	}
	batch.Size = len(lines.codes)
	return s.addBatch(ctx, batch, func(ctx context.Context, tx Tx, id int64) error {
		for i := range lines.codes {
			lines.codes[i].BatchID = id
		}
		added, err := tx.AddPromoCodes(ctx, lines.codes)
		if err != nil || len(added) == len(lines.codes) {
			return err
		}
		// Some are taken, perhaps since a moment ago. The error rolls back.
		lines.faults = nil
		lines.taken(without(lines.digits(), added))
		return lines.refuse(map[string]Text{})
	})
}

// without gives the codes that are not among those added.
func without(codes, added []string) []string {
	known := make(map[string]bool, len(added))
	for _, c := range added {
		known[c] = true
	}
	return slices.DeleteFunc(codes, func(c string) bool { return known[c] })
}

// importReader reads the lines of an import and collects what is wrong.
type importReader struct {
	zone   *time.Location
	now    time.Time
	like   PromoCode      // what all codes have in common
	at     map[string]int // column → its place in a line
	first  map[string]int // code → the line where it stands first
	codes  []PromoCode    // of the good lines
	faults ImportFaults
}

// read goes through the whole text; see importTable for what is welcome. Lines
// on which a person sees nothing are passed over, and no others.
func (r *importReader) read(text string) {
	text, separator := importTable(text)
	table := csv.NewReader(strings.NewReader(text))
	table.FieldsPerRecord, table.ReuseRecord, table.Comma = -1, true, separator
	rows := 0
	for {
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			// The rest of the line is skipped; the next one is read.
			r.fault(broken.StartLine, "", "promo_import.quotes")
			if r.at == nil {
				return
			}
			continue
		}
		line, _ := table.FieldPos(0)
		cells = importCells(cells)
		if !slices.ContainsFunc(cells, func(cell string) bool { return cell != "" }) {
			continue
		}
		if r.at == nil {
			if !r.head(line, cells) {
				return
			}
			continue
		}
		if rows++; rows > MaxBatch {
			r.fault(line, "", "promo_import.too_many")
			return
		}
		r.row(line, cells)
	}
}

// head reads the line with the columns; without it no other line can be read.
func (r *importReader) head(line int, cells []string) bool {
	at := map[string]int{}
	for i, cell := range cells {
		name := strings.ToLower(cell)
		_, twice := at[name]
		if twice || !slices.Contains(importColumns, name) {
			r.fault(line, "", "promo_import.header", "Columns", strings.Join(importColumns, ";"))
			return false
		}
		at[name] = i
	}
	if len(at) != len(importColumns) {
		r.fault(line, "", "promo_import.header", "Columns", strings.Join(importColumns, ";"))
		return false
	}
	r.at = at
	return true
}

// row reads one line below the head.
func (r *importReader) row(line int, cells []string) {
	before := len(r.faults)
	if i := slices.IndexFunc(cells, func(c string) bool { return !utf8.ValidString(c) }); i >= 0 {
		column := ""
		for name, at := range r.at {
			if at == i {
				column = name
			}
		}
		r.fault(line, column, "promo_import.not_utf8")
		return
	}
	if len(cells) != len(importColumns) {
		r.fault(line, "", "promo_import.width", "Count", len(cells), "Want", len(importColumns))
		return
	}
	cell := func(column string) string { return cells[r.at[column]] }
	p := r.like
	p.Code = r.code(line, cell("code"))
	p.Discount = r.discount(line, cell("discount_percent"), cell("discount_rub"))
	var ok bool
	if p.MaxUses, ok = readCount(cell("uses"), maxBatchUses); !ok {
		r.fault(line, "uses", "promo_batch.uses_bounds", "Most", maxBatchUses)
	}
	if day := midnight.ReplaceAllString(cell("valid_until"), ""); day != "" {
		var fault *Text
		if p.ExpiresAt, fault = readLastDay(day, r.zone, r.now); fault != nil {
			r.faults = append(r.faults, ImportFault{Line: line, Column: "valid_until", Text: *fault})
		}
	}
	if len(r.faults) == before {
		r.codes = append(r.codes, p)
	}
}

// code reads the digits. The first line of a code is remembered even where the
// line is bad, so that taking it out shows no new fault.
func (r *importReader) code(line int, typed string) string {
	if told := mangledCode(typed); told.Key != "" {
		r.faults = append(r.faults, ImportFault{Line: line, Column: "code", Text: told})
		return ""
	}
	code, refusal := readPromoCode(typed)
	switch {
	case refusal != nil && refusal.Reason == ReasonTypo:
		r.fault(line, "code", "promo_import.check_digit")
	case refusal != nil:
		r.fault(line, "code", "promo_import.ten_digits")
	case r.first[code] != 0:
		r.fault(line, "code", "promo_import.twice", "Line", r.first[code])
	default:
		r.first[code] = line
	}
	return code
}

func (r *importReader) discount(line int, percent, roubles string) (d Discount) {
	var ok bool
	switch {
	case percent == "" && roubles == "":
		r.fault(line, "discount_percent", "promo_import.no_discount")
	case percent != "" && roubles != "":
		r.fault(line, "discount_rub", "promo_import.two_discounts")
	case percent != "":
		if d.Percent, ok = readCount(strings.TrimSuffix(percent, "%"), 100); !ok {
			r.fault(line, "discount_percent", "promo_batch.percent_bounds")
		}
	default:
		if d.Kopecks, ok = readRoubles(roubles); !ok {
			r.fault(line, "discount_rub", "promo_batch.roubles_bounds")
		}
	}
	return d
}

func (r *importReader) fault(line int, column, key string, pairs ...any) {
	r.faults = append(r.faults, ImportFault{Line: line, Column: column, Text: Say(key, pairs...)})
}

// digits lists every readable code of the text.
func (r *importReader) digits() []string {
	out := make([]string, 0, len(r.first))
	for code := range r.first {
		out = append(out, code)
	}
	return out
}

// taken adds a fault for each code that is there already.
func (r *importReader) taken(codes []string) {
	for _, code := range codes {
		r.fault(r.first[code], "code", "promo_import.taken")
	}
	place := func(f ImportFault) int { return slices.Index(importColumns, f.Column) }
	slices.SortStableFunc(r.faults, func(a, b ImportFault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(place(a), place(b)))
	})
}

// refuse turns the faults of lines and fields into one error.
func (r *importReader) refuse(fields map[string]Text) error {
	err := &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: fields}
	if len(r.faults) > 0 {
		lines := map[int]bool{}
		for _, f := range r.faults {
			lines[f.Line] = true
		}
		fields["text"] = Say("promo_import.faulty", "Count", len(lines))
		err.Err = r.faults
	}
	return err
}

// CleanImport is a text as it can be shown again: bytes that are no UTF-8
// become a replacement sign each, and NUL goes. Of a spreadsheet's own file
// nothing can be.
func CleanImport(text string) string {
	if isWorkbook(text) {
		return ""
	}
	return strings.ToValidUTF8(string(bytes.ReplaceAll([]byte(text), []byte{0}, nil)), "\ufffd")
}
