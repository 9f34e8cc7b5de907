package domain_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

func (w *world) admin() domain.Actor { return domain.Actor{Staff: w.set.Administrator} }

func (w *world) batch(a domain.Actor, size string) domain.PromoBatch {
	w.t.Helper()
	b, err := w.CreateBatch(w.t.Context(), a, domain.BatchForm{
		RequestID: w.request(), Title: "Листовки", Size: size, Discount: "percent", Percent: "15", Uses: "2",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// of lists the codes of a batch, as many as a page shows.
func (w *world) of(b domain.PromoBatch) []domain.PromoRow {
	w.t.Helper()
	rows, _, err := w.SupervisedPromos(w.t.Context(), w.vera(), domain.PromoFilter{BatchID: b.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func isKind(t *testing.T, what string, err error, want domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != want {
		t.Errorf("%s: %v is of kind %d, want %d", what, err, domain.KindOf(err), want)
	}
}

// Ten thousand codes: none twice, all of ten digits with a right check digit,
// hence none the beginning of another.
func TestBatchIsPrefixFree(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		size, typed := domain.MaxBatch, "10 000"
		if w.redisURL == "" {
			size, typed = 1000, "1 000" // SQLite under -race takes 2 ms a code
		}
		b := w.batch(w.vera(), typed)
		seen := map[string]bool{}
		err := w.ExportPromos(t.Context(), w.vera(), domain.PromoFilter{BatchID: b.ID}, func(r domain.PromoRow) error {
			if len(r.Code) != 10 || strings.Trim(r.Code, "0123456789") != "" || seen[r.Code] {
				return fmt.Errorf("a code of %d characters, seen before: %t", len(r.Code), seen[r.Code])
			}
			seen[r.Code] = true
			return nil
		})
		if err != nil || len(seen) != size || b.Size != size {
			t.Errorf("%d codes in a batch of %d: %v", len(seen), b.Size, err)
		}
		for code := range seen {
			if ans, err := w.LookUpPromo(t.Context(), w.anna, code); err != nil || ans.Refusal != nil {
				t.Errorf("a code of the batch is refused: %v, %v", ans.Refusal, err)
			}
			break
		}
	})
}

// A code of a batch is good for any verified phone, once.
func TestBatchCodeIsForAnybody(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		codes := w.of(w.batch(w.vera(), "2"))
		v := w.verified(w.anna, "+79161110001")
		if _, err := w.ApplyPromo(t.Context(), w.anna, v.ID, codes[0].Code); err != nil {
			t.Fatal(err)
		}
		// The same phone gets no second use, of another code either.
		w.clock.Add(time.Minute) // until another SMS may be sent
		again := w.verified(w.timur, "+79161110001")
		_, err := w.ApplyPromo(t.Context(), w.timur, again.ID, codes[1].Code)
		var r *domain.Refusal
		if !errors.As(err, &r) || r.Reason != domain.ReasonPhoneUsed {
			t.Errorf("a second use of a phone: %v", err)
		}
		d, err := w.SupervisedPromo(t.Context(), w.vera(), codes[0].ID)
		if err != nil || d.Held != 1 || len(d.Uses) != 1 || d.Uses[0].VisitID != v.ID || d.Uses[0].Phone != "+79161110001" {
			t.Errorf("details %+v, %v", d, err)
		}
		d, err = w.SupervisedPromo(t.Context(), w.vera(), codes[1].ID)
		if err != nil || len(d.Refusals) != 1 || d.Refusals[0].Reason != domain.ReasonPhoneUsed || d.Refusals[0].AdvisorName != w.timur.Name {
			t.Errorf("details %+v, %v", d, err)
		}
		// Who does not supervise the store sees the use and no way to the visit.
		zoya := w.vera()
		zoya.Stores = zoya.Stores[1:]
		d, err = w.SupervisedPromo(t.Context(), zoya, codes[0].ID)
		if err != nil || len(d.Uses) != 1 || d.Uses[0].VisitID != 0 || d.Uses[0].StoreName != w.set.Moscow.Name {
			t.Errorf("details for another store %+v, %v", d, err)
		}
	})
}

func TestPromoAdminPermissions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id := w.of(w.batch(w.vera(), "1"))[0].ID
		stranger := w.vera() // of another programme
		stranger.Stores = []domain.Store{{ID: 999, ProgrammeID: 999}}
		homeless := w.vera() // of no store
		homeless.Stores = nil
		for name, verb := range map[string]func(a domain.Actor) error{
			"freeze": func(a domain.Actor) error { return w.FreezePromo(ctx, a, id, "a reason") },
			"thaw":   func(a domain.Actor) error { return w.ThawPromo(ctx, a, id, "a reason") },
			"extend": func(a domain.Actor) error {
				return w.ExtendPromo(ctx, a, id, domain.ExtensionForm{NoEnd: true, Reason: "a reason"})
			},
			"show": func(a domain.Actor) error { _, err := w.SupervisedPromo(ctx, a, id); return err },
		} {
			isKind(t, name+" by an advisor", verb(w.anna), domain.Forbidden)
			isKind(t, name+" by a stranger", verb(stranger), domain.NotFound)
			isKind(t, name+" by a homeless", verb(homeless), domain.NotFound)
			for _, a := range []domain.Actor{w.vera(), w.admin()} {
				if err := verb(a); err != nil {
					t.Errorf("%s by %s: %v", name, a.Role, err)
				}
			}
		}
		isKind(t, "freeze of nothing", w.FreezePromo(ctx, w.vera(), 999999, "a reason"), domain.NotFound)
		for _, a := range []domain.Actor{stranger, homeless} {
			if rows, more, err := w.SupervisedPromos(ctx, a, domain.PromoFilter{AllProgrammes: true}); err != nil || more || len(rows) > 0 {
				t.Errorf("a list of %d codes, %v", len(rows), err)
			}
			if rows, _, err := w.SupervisedBatches(ctx, a, 0); err != nil || len(rows) > 0 {
				t.Errorf("a list of %d batches, %v", len(rows), err)
			}
			_, err := w.CreateBatch(ctx, a, domain.BatchForm{RequestID: w.request(), Title: "x", Size: "1", Discount: "percent", Percent: "1", Uses: "1", ProgrammeID: w.set.Programme.ID})
			isKind(t, "a batch of another's programme", err, domain.Forbidden)
		}
		_, _, err := w.SupervisedPromos(ctx, w.anna, domain.PromoFilter{})
		isKind(t, "the list", err, domain.Forbidden)
		_, _, err = w.SupervisedBatches(ctx, w.anna, 0)
		isKind(t, "the batches", err, domain.Forbidden)
		_, err = w.BatchChoices(ctx, w.anna, 0)
		isKind(t, "the choices", err, domain.Forbidden)
		isKind(t, "the export", w.ExportPromos(ctx, w.anna, domain.PromoFilter{}, func(domain.PromoRow) error { return nil }), domain.Forbidden)
		_, err = w.CreateBatch(ctx, w.anna, domain.BatchForm{RequestID: w.request()})
		isKind(t, "a batch", err, domain.Forbidden)
		_, err = w.ImportCodes(ctx, w.anna, domain.ImportForm{RequestID: w.request()})
		isKind(t, "an import", err, domain.Forbidden)
	})
}

// Freezing, thawing and prolonging leave one line each, and none where nothing
// had to change.
func TestPromoChanges(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id := w.of(w.batch(w.vera(), "1"))[0].ID
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			ok(w.FreezePromo(ctx, w.vera(), id, "  leaked \n online "))
		}
		if w.promo(id).State != domain.PromoFrozen {
			t.Error("not frozen")
		}
		for range 2 {
			ok(w.ThawPromo(ctx, w.admin(), id, "settled"))
		}
		// Without an end there is nothing to prolong.
		err := w.ExtendPromo(ctx, w.vera(), id, domain.ExtensionForm{LastDay: "2026-01-01", Reason: "longer"})
		if domain.FieldsOf(err)["last_day"].Key != "promo_code.day_endless" {
			t.Errorf("an end for a code without one: %v", err)
		}
		b, err := w.CreateBatch(ctx, w.vera(), domain.BatchForm{
			RequestID: w.request(), Title: "x", Size: "1", Discount: "roubles", Roubles: "99,5", Uses: "1", LastDay: "31.12.2025",
		})
		ok(err)
		dated := w.of(b)[0]
		if want := time.Date(2025, 12, 31, 21, 0, 0, 0, time.UTC); dated.ExpiresAt == nil || !dated.ExpiresAt.Equal(want) || dated.Discount.Kopecks != 9950 {
			t.Errorf("until %v for %d kopecks, want the end of the day in Moscow", dated.ExpiresAt, dated.Discount.Kopecks)
		}
		for day, want := range map[string]string{
			"": "promo_code.day_empty", "soon": "promo_code.day_malformed", "2020-01-01": "promo_code.day_past",
			"2025-12-30": "promo_code.day_earlier", "2030-06-04": "promo_code.day_far", "2026-02-30": "promo_code.day_malformed",
		} {
			err := w.ExtendPromo(ctx, w.vera(), dated.ID, domain.ExtensionForm{LastDay: day, Reason: "longer"})
			if domain.FieldsOf(err)["last_day"].Key != want {
				t.Errorf("until %q: %v, want %s", day, err, want)
			}
		}
		const spaced = "  a b "
		for reason, want := range map[string]string{
			"": "reason.empty", "ab": "reason.empty", spaced: "", strings.Repeat("я", 301): "reason.long",
		} {
			err := w.FreezePromo(ctx, w.vera(), dated.ID, reason)
			if got := domain.FieldsOf(err)["reason"].Key; got != want {
				t.Errorf("the reason %q: %v, want %s", reason, err, want)
			}
		}
		ok(w.ThawPromo(ctx, w.vera(), dated.ID, "again"))
		for range 2 {
			ok(w.ExtendPromo(ctx, w.vera(), dated.ID, domain.ExtensionForm{LastDay: "2026-03-08", Reason: "spring"}))
		}
		ok(w.ExtendPromo(ctx, w.vera(), dated.ID, domain.ExtensionForm{NoEnd: true, Reason: "for ever"}))
		for _, c := range []struct {
			id   int64
			want []string
		}{
			{id, []string{"frozen leaked online Галина 0001-01-01", "thawed settled Дмитрий 0001-01-01"}},
			{dated.ID, []string{
				"frozen a b Галина 0001-01-01", "thawed again Галина 0001-01-01",
				"extended spring Галина 2026-03-08", "extended for ever Галина 0001-01-01",
			}},
		} {
			d, err := w.SupervisedPromo(ctx, w.vera(), c.id)
			ok(err)
			var got []string
			for _, e := range d.Events {
				got = append(got, fmt.Sprint(e.Kind, " ", e.Reason(), " ", e.StaffName, " ", e.LastDay().Format(time.DateOnly)))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("events %q, want %q", got, c.want)
			}
		}
		ok(w.voidCode(id))
		isKind(t, "freeze of a void code", w.FreezePromo(ctx, w.vera(), id, "a reason"), domain.Conflict)
		isKind(t, "thaw of a void code", w.ThawPromo(ctx, w.vera(), id, "a reason"), domain.Conflict)
	})
}

func (w *world) voidCode(id int64) error {
	return w.DB.InTx(w.t.Context(), func(ctx context.Context, tx domain.Tx) error { return tx.SetPromoState(ctx, id, domain.PromoVoid) })
}

// A request makes one batch, and is no key to another's.
func TestBatchOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		f := domain.BatchForm{RequestID: w.request(), Title: "x", Size: "3", Discount: "percent", Percent: "1", Uses: "1"}
		first, err := w.CreateBatch(ctx, w.vera(), f)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := w.CreateBatch(ctx, w.vera(), f); err != nil || again.ID != first.ID || len(w.of(first)) != 3 {
			t.Errorf("again %+v, %v", again, err)
		}
		_, err = w.CreateBatch(ctx, w.admin(), f)
		isKind(t, "another's request", err, domain.NotFound)
		for field, bad := range map[string]domain.BatchForm{
			"size":     {Title: "x", Size: "10001", Discount: "percent", Percent: "1", Uses: "1"},
			"uses":     {Title: "x", Size: "1", Discount: "percent", Percent: "1", Uses: "1001"},
			"percent":  {Title: "x", Size: "1", Discount: "percent", Percent: "101", Uses: "1"},
			"roubles":  {Title: "x", Size: "1", Discount: "roubles", Roubles: "0,00", Uses: "1"},
			"discount": {Title: "x", Size: "1", Uses: "1"},
			"title":    {Title: " ", Size: "1", Discount: "percent", Percent: "1", Uses: "1"},
			"last_day": {Title: "x", Size: "1", Discount: "percent", Percent: "1", Uses: "1", LastDay: "2020-01-01"},
		} {
			bad.RequestID = w.request()
			_, err := w.CreateBatch(ctx, w.vera(), bad)
			if fields := domain.FieldsOf(err); len(fields) != 1 || fields[field].Key == "" {
				t.Errorf("%s: %v", field, err)
			}
		}
		_, err = w.CreateBatch(ctx, w.vera(), domain.BatchForm{Title: "x"})
		isKind(t, "no request id", err, domain.Invalid)
	})
}

// Every fault of every line is told, with its line and column, and nothing is
// imported; the same text without them is.
func TestImport(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		taken := w.of(w.batch(w.vera(), "1"))[0].Code
		const head = "code;discount_percent;discount_rub;uses;valid_until\r\n"
		for _, c := range []struct {
			name, text string
			want       string
		}{
			{"header", "code;uses\n", "1  header"},
			{"header twice", "code;code;discount_rub;uses;valid_until\n", "1  header"},
			{"short code", head + "12345;15;;1;\r\n", "2 code ten_digits"},
			{"check digit", head + "1234567891;15;;1;\r\n", "2 code check_digit"},
			{"twice", head + "0000000000;15;;1;\r\n000 000 0000;15;;1;", "3 code twice"},
			{"taken", head + taken + ";15;;1;", "2 code taken"},
			{"taken beside another fault", head + taken + ";15;;1;\n12;1;;1;", "2 code taken, 3 code ten_digits"},
			{"no discount", head + "0000000000;;;1;", "2 discount_percent no_discount"},
			{"two discounts", head + "0000000000;1;1;1;", "2 discount_rub two_discounts"},
			{"percent", head + "0000000000;101;;1;", "2 discount_percent percent_bounds"},
			{"roubles", head + "0000000000;;0;1;", "2 discount_rub roubles_bounds"},
			{"uses", head + "0000000000;1;;1001;", "2 uses uses_bounds"},
			{"day", head + "0000000000;1;;1;tomorrow", "2 valid_until day_malformed"},
			{"past", head + "0000000000;1;;1;2020-01-01", "2 valid_until day_past"},
			{"width", head + "0000000000;1;;1", "2  width"},
			{"quotes", head + "\"0000000000;1;;1;", "2  quotes"},
			{"not UTF-8", head + "0000000000;1;;1;\xff", "2 valid_until not_utf8"},
			{"several", head + "12;;;0;\n", "2 code ten_digits, 2 discount_percent no_discount, 2 uses uses_bounds"},
			{"good after bad", head + "12;1;;1;\n\n0000000000;1;;1;", "2 code ten_digits"},
		} {
			_, err := w.ImportCodes(ctx, w.vera(), domain.ImportForm{RequestID: w.request(), Title: "x", Text: c.text})
			var lines domain.ImportFaults
			errors.As(err, &lines)
			var got []string
			for _, f := range lines {
				got = append(got, fmt.Sprint(f.Line, " ", f.Column, " ", f.Text.Key[strings.LastIndex(f.Text.Key, ".")+1:]))
			}
			if strings.Join(got, ", ") != c.want || domain.FieldsOf(err)["text"].Key != "promo_import.faulty" {
				t.Errorf("%s: %q (%v), want %q", c.name, got, err, c.want)
			}
		}
		for name, text := range map[string]string{"empty": " \n", "head only": head, "too long": head + strings.Repeat("x", domain.MaxImport)} {
			_, err := w.ImportCodes(ctx, w.vera(), domain.ImportForm{RequestID: w.request(), Title: "x", Text: text})
			if domain.FieldsOf(err)["text"].Key == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if rows, _, err := w.SupervisedBatches(ctx, w.vera(), 0); err != nil || len(rows) != 1 {
			t.Errorf("%d batches after faults, %v", len(rows), err)
		}
		good := domain.ImportForm{RequestID: w.request(), Title: "партнёр", Text: "\ufeffuses,code,valid_until,discount_rub,discount_percent\r\n" +
			"5,000 000 0000,,,15%\r\n1,0000000013,31.12.2025,\"99,50\",\r\n"}
		good.Text = strings.Replace(good.Text, "0000000013", spare(t), 1)
		b, err := w.ImportCodes(ctx, w.vera(), good)
		if err != nil || b.Size != 2 || !b.Imported {
			t.Fatalf("%+v, %v", b, err)
		}
		rows := w.of(b)
		if len(rows) != 2 || rows[0].Discount.Kopecks+rows[1].Discount.Kopecks != 9950 || rows[0].MaxUses+rows[1].MaxUses != 6 {
			t.Errorf("imported %+v", rows)
		}
		if again, err := w.ImportCodes(ctx, w.vera(), good); err != nil || again.ID != b.ID {
			t.Errorf("again: %+v, %v", again, err)
		}
		_, err = w.ImportCodes(ctx, w.admin(), good)
		isKind(t, "another's request", err, domain.NotFound)
	})
}

// spare is a well-formed code that no other test line uses.
func spare(t *testing.T) string {
	t.Helper()
	code, err := domain.NewPromoDigits()
	if err != nil {
		t.Fatal(err)
	}
	return code
}
