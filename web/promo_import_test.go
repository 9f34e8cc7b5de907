package main

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"prilavok/domain"
)

// upload sends the form of an import as a browser does, file and all; an
// empty name is a form in which none was chosen.
func (c *client) upload(fileName, content string, header http.Header, pairs ...string) answer {
	c.t.Helper()
	const path = "/promo-batches/import"
	values := c.screen(c.get(path)).form(path)
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, all := range values {
		for _, v := range all {
			if err := w.WriteField(name, v); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	file, err := w.CreateFormFile("file", fileName)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := file.Write([]byte(content)); err != nil {
		c.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.multipart(path, w.FormDataContentType(), header, &body)
}

func (c *client) multipart(path, contentType string, header http.Header, body *bytes.Buffer) answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", contentType)
	return c.ask(req)
}

func TestPromoImport(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		vera := inspect(p.as("vera"))
		imported := func(a answer, codes ...string) {
			t.Helper()
			if a.Status != http.StatusSeeOther || !newBatch.MatchString(a.Location) {
				t.Fatalf("%d → %q\n%s", a.Status, a.Location, vera.screen(a).text())
			}
			got := db.rows(`SELECT code FROM promo_codes WHERE batch_id = $1 ORDER BY code`, strings.TrimPrefix(a.Location, "/promo-codes?batch="))
			if !slices.Equal(got, codes) {
				t.Errorf("imported %q, want %q", got, codes)
			}
		}
		text := func(codes ...string) string {
			return importHead + "\r\n" + strings.Join(codes, ";15;;1;31.12.2030\r\n") + ";15;;1;\r\n"
		}
		// Pasted, uploaded, and both: the file counts.
		imported(vera.send("/promo-batches/import", "/promo-batches/import", "title", "Вставлено", "text", text(checkedCodes[0])), checkedCodes[0])
		imported(vera.upload("", "", nil, "title", "Вставлено", "text", text(checkedCodes[1])), checkedCodes[1])
		imported(vera.upload("codes.csv", "\ufeff"+text(checkedCodes[2:4]...), nil, "title", "Файл"), checkedCodes[2:4]...)
		imported(vera.upload("codes.csv", text(checkedCodes[4]), nil, "title", "Файл", "text", "это не таблица"), checkedCodes[4])
		// Excel's "Unicode text".
		imported(vera.upload("codes.txt", inUTF16(strings.ReplaceAll(text(checkedCodes[6]), ";", "\t"), false, true), nil, "title", "Текст"), checkedCodes[6])

		// What was uploaded stands in the field to be mended there, and the report
		// names lines and columns; bytes that are no text become signs.
		before := db.dump(false)
		faulty := "\n" + importHead + "\n" + checkedCodes[0] + ";15;;1;\n12;;;0;\xff\x00\n" + checkedCodes[5] + ";15;;1;"
		for name, header := range map[string]http.Header{"as a page": nil, "as a part": asPart} {
			a := vera.upload("codes.csv", faulty, header, "title", "Файл", "text", "это не таблица")
			badInput{
				faults: []string{"text"},
				kept:   map[string]string{"title": "Файл", "text": strings.NewReplacer("\xff", "\ufffd", "\x00", "").Replace(faulty)},
			}.holds(t, vera, a, name)
			var report []string
			for _, tr := range find(vera.screen(a).byID("promo-import"), tag("tr")) {
				if cells := find(tr, tag("td")); len(cells) == 3 {
					report = append(report, textOf(cells[0])+" "+textOf(cells[1]))
				}
			}
			if !slices.Equal(report, []string{"3 code", "4 valid_until"}) {
				t.Errorf("%s: the report is %q", name, report)
			}
		}
		if after := db.dump(false); after != before {
			t.Errorf("faulty lines left a trace:\n%s", difference(before, after))
		}
	})
}

// An import may be a megabyte long, and nothing else may.
func TestPromoImportLimit(t *testing.T) {
	t.Parallel()
	p := start(t, "DATA_DIR="+t.TempDir())
	vera, anna := inspect(p.as("vera")), inspect(p.as("anna"))
	line := "12;15;;1;\n"
	full := importHead + "\n" + strings.Repeat(line, (domain.MaxImport-len(importHead)-1)/len(line))
	for name, c := range map[string]struct {
		a    answer
		want int
	}{
		"a full file, a full text":      {vera.upload("codes.csv", full, nil, "title", "x", "text", full), http.StatusUnprocessableEntity},
		"a file of one line more":       {vera.upload("codes.csv", full+line, nil, "title", "x"), http.StatusUnprocessableEntity},
		"a file of three megabytes":     {vera.upload("codes.csv", full+full+full, nil, "title", "x"), http.StatusRequestEntityTooLarge},
		"a text of three megabytes":     {vera.post("/promo-batches/import", "text", full+full+full), http.StatusRequestEntityTooLarge},
		"a long form elsewhere":         {vera.post("/promo-batches/new", "title", full[:70_000]), http.StatusRequestEntityTooLarge},
		"a long form beside the import": {vera.post("/promo-batches/import/", "text", full[:70_000]), http.StatusRequestEntityTooLarge},
		"a long form of an advisor":     {anna.post("/promo-check", "promo", full[:70_000]), http.StatusRequestEntityTooLarge},
		"a long import of an advisor":   {anna.post("/promo-batches/import", "text", full[:70_000]), http.StatusForbidden},
	} {
		if c.a.Status != c.want {
			t.Errorf("%s: %d, want %d", name, c.a.Status, c.want)
		}
	}
	// Excel's own file is told by name, and none of its bytes come back.
	book := vera.screen(vera.upload("codes.xlsx", "PK\x03\x04\x14\x00\x06\x00\xd8\xff", nil, "title", "x"))
	if n := book.byID("text-error"); n == nil || !strings.HasSuffix(textOf(n), russian(t, "promo_import.workbook")) || typedIn(book, "text") != "" {
		t.Errorf("a workbook is told as: %.300s", book.text())
	}
	// Too long and too many are told in words.
	s := vera.screen(vera.upload("codes.csv", full+line, nil, "title", "x"))
	if n := s.byID("text-error"); n == nil || !strings.HasSuffix(textOf(n), russian(t, "promo_import.too_long")) {
		t.Errorf("too long is told as: %.300s", s.text())
	}
	if text := typedIn(s, "text"); len(text) > domain.MaxImport+1 {
		t.Errorf("%d bytes come back", len(text))
	}
}
