package domain_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"prilavok/domain"
)

// atOnce runs f n times at the same moment and waits.
func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// Several imports share their codes: one wins whole, the others report every
// line of theirs that was taken, and of no loser a single code stays behind,
// those that nobody else wanted included.
func TestImportRace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const callers = 4
		shared := 60 // SQLite's writers queue, and are slow under -race
		if w.redisURL != "" {
			shared = 600 // more than one statement takes
		}
		forms := make([]domain.ImportForm, callers)
		known := map[string]bool{}
		another := func() string {
			code := spare(t)
			for ; known[code]; code = spare(t) { // a coincidence would be a fault of the test
			}
			known[code] = true
			return code
		}
		codes := make([]string, shared)
		for i := range codes {
			codes[i] = another()
		}
		for i := range forms {
			lines := []string{"code;discount_percent;discount_rub;uses;valid_until", another() + ";15;;1;"}
			for n := range codes {
				// Each begins somewhere else, and every other one goes backwards.
				n = (n + i*shared/callers) % shared
				if i%2 == 1 {
					n = shared - 1 - n
				}
				lines = append(lines, codes[n]+";15;;1;")
			}
			forms[i] = domain.ImportForm{RequestID: w.request(), Title: fmt.Sprintf("партнёр %d", i), Text: strings.Join(lines, "\n")}
		}
		batches, faults := make([]domain.PromoBatch, callers), make([]error, callers)
		atOnce(callers, func(i int) { batches[i], faults[i] = w.ImportCodes(t.Context(), w.vera(), forms[i]) })

		winner := -1
		for i, err := range faults {
			var lines domain.ImportFaults
			switch {
			case err == nil && winner >= 0:
				t.Errorf("%d and %d have both won", winner, i)
			case err == nil:
				winner = i
			case !errors.As(err, &lines) || domain.FieldsOf(err)["text"].Key != "promo_import.faulty":
				t.Errorf("a loser: %v", err)
			case len(lines) != shared:
				t.Errorf("a loser reports %d lines", len(lines))
			default:
				for n, f := range lines {
					if f.Line != n+3 || f.Column != "code" || f.Text.Key != "promo_import.taken" {
						t.Errorf("fault %d: %+v", n, f)
						break
					}
				}
			}
		}
		if winner < 0 {
			t.Fatal("nobody has won")
		}
		rows, _, err := w.SupervisedBatches(t.Context(), w.vera(), 0)
		if err != nil || len(rows) != 1 || rows[0].ID != batches[winner].ID || rows[0].Size != shared+1 {
			t.Errorf("batches %+v, %v", rows, err)
		}
		n := 0
		err = w.ExportPromos(t.Context(), w.vera(), domain.PromoFilter{}, func(r domain.PromoRow) error {
			if n++; r.BatchID != batches[winner].ID {
				return fmt.Errorf("a code of batch %d is left", r.BatchID)
			}
			return nil
		})
		if err != nil || n != shared+1 {
			t.Errorf("%d codes, %v", n, err)
		}
	})
}

// A form that is sent several times at the same moment makes one batch, by
// hand or by import, and every answer names it.
func TestBatchRace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		made := domain.BatchForm{RequestID: w.request(), Title: "Листовки", Size: "700", Discount: "percent", Percent: "15", Uses: "1"}
		imported := domain.ImportForm{RequestID: w.request(), Title: "Партнёр", Text: "code;discount_percent;discount_rub;uses;valid_until\n" + spare(t) + ";15;;1;"}
		for name, send := range map[string]func() (domain.PromoBatch, error){
			"700": func() (domain.PromoBatch, error) { return w.CreateBatch(t.Context(), w.vera(), made) },
			"1":   func() (domain.PromoBatch, error) { return w.ImportCodes(t.Context(), w.vera(), imported) },
		} {
			batches, faults := make([]domain.PromoBatch, 8), make([]error, 8)
			atOnce(8, func(i int) { batches[i], faults[i] = send() })
			for i, b := range batches {
				if faults[i] != nil || b.ID == 0 || b.ID != batches[0].ID {
					t.Errorf("a batch of %s, answer %d: %+v, %v", name, i, b, faults[i])
				}
			}
			n := 0
			err := w.ExportPromos(t.Context(), w.vera(), domain.PromoFilter{BatchID: batches[0].ID}, func(domain.PromoRow) error { n++; return nil })
			if err != nil || fmt.Sprint(n) != name {
				t.Errorf("%d codes in a batch of %s: %v", n, name, err)
			}
		}
		if rows, _, err := w.SupervisedBatches(t.Context(), w.vera(), 0); err != nil || len(rows) != 2 {
			t.Errorf("%d batches, %v", len(rows), err)
		}
	})
}
