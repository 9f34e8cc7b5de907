package domain

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What a batch may hold.
const (
	MaxBatch      = 10_000      // codes
	maxBatchUses  = 1000        // of one code
	maxBatchTitle = 80          // characters
	maxDiscount   = 100_000_000 // kopecks: a million roubles
)

// PromoBatch is codes that were made or imported together and belong to
// nobody: for flyers and partners.
type PromoBatch struct {
	ID          int64
	ProgrammeID int64
	RequestID   string
	Title       string
	Imported    bool
	Size        int // codes
	StaffID     int64
	CreatedAt   time.Time
}

// PromoBatchRow is a line of the list of batches.
type PromoBatchRow struct {
	PromoBatch
	StaffName string
	Used      int // uses of all its codes, held ones included
	MaxUses   int // of all its codes
}

// BatchForm is what a new batch asks, as typed.
type BatchForm struct {
	RequestID   string
	ProgrammeID int64 // 0 where there is only one to choose
	Title       string
	Size        string
	Discount    string // "percent" or "roubles"
	Percent     string
	Roubles     string
	Uses        string
	LastDay     string // empty: no end
}

// SupervisedBatches lists batches of the actor's programmes, newest first,
// and tells whether older ones follow.
func (s *Service) SupervisedBatches(ctx context.Context, a Actor, before int64) ([]PromoBatchRow, bool, error) {
	if !a.Supervises() {
		return nil, false, forbidden()
	}
	ids, all := a.SupervisedProgrammes()
	if !all && len(ids) == 0 {
		return nil, false, nil
	}
	rows, err := s.DB.PromoBatches(ctx, ids, all, before, batchesPerPage+1)
	if err != nil || len(rows) <= batchesPerPage {
		return rows, false, err
	}
	return rows[:batchesPerPage], true, nil
}

// BatchChoices gives the newest batches that a list of codes can be narrowed
// to, and the chosen one among them where it is the actor's.
func (s *Service) BatchChoices(ctx context.Context, a Actor, chosen int64) ([]PromoBatch, error) {
	if !a.Supervises() {
		return nil, forbidden()
	}
	ids, all := a.SupervisedProgrammes()
	list, err := s.DB.PromoBatchChoices(ctx, ids, all, batchChoices)
	if err != nil || chosen == 0 || slices.ContainsFunc(list, func(b PromoBatch) bool { return b.ID == chosen }) {
		return list, err
	}
	b, err := s.DB.PromoBatch(ctx, chosen)
	switch {
	case IsNotFound(err) || err == nil && !a.SupervisesProgramme(b.ProgrammeID):
		return list, nil
	case err != nil:
		return nil, err
	}
	return append(list, b), nil
}

// CreateBatch makes codes that belong to nobody: all of them or none. The same
// request again answers with the batch that it made.
func (s *Service) CreateBatch(ctx context.Context, a Actor, f BatchForm) (PromoBatch, error) {
	fields := map[string]Text{}
	batch, err := s.newBatch(ctx, a, f.RequestID, f.ProgrammeID, f.Title, fields)
	if err != nil {
		return PromoBatch{}, err
	}
	code := batchCode(batch)
	var ok bool
	if batch.Size, ok = readCount(f.Size, MaxBatch); !ok {
		fields["size"] = Say("promo_batch.size_bounds")
	}
	if code.MaxUses, ok = readCount(f.Uses, maxBatchUses); !ok {
		fields["uses"] = Say("promo_batch.uses_bounds", "Most", maxBatchUses)
	}
	switch f.Discount {
	case "percent":
		if code.Discount.Percent, ok = readCount(f.Percent, 100); !ok {
			fields["percent"] = Say("promo_batch.percent_bounds")
		}
	case "roubles":
		if code.Discount.Kopecks, ok = readRoubles(f.Roubles); !ok {
			fields["roubles"] = Say("promo_batch.roubles_bounds")
		}
	default:
		fields["discount"] = Say("promo_batch.choose_discount")
	}
	if !untyped(f.LastDay) {
		loc, err := s.promoZone(ctx, s.DB, a, batch.ProgrammeID)
		if err != nil {
			return PromoBatch{}, err
		}
		var fault *Text
		if code.ExpiresAt, fault = readLastDay(f.LastDay, loc, s.now()); fault != nil {
			fields["last_day"] = *fault
		}
	}
	if len(fields) > 0 {
		return PromoBatch{}, &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: fields}
	}
	return s.addBatch(ctx, batch, func(ctx context.Context, tx Tx, id int64) error {
		code.BatchID = id
		return drawPromoCodes(ctx, tx, code, batch.Size)
	})
}

// newBatch checks who makes a batch, in which programme and with which title.
// Faults of fields are noted; everything else is an error.
func (s *Service) newBatch(ctx context.Context, a Actor, requestID string, programmeID int64, title string, fields map[string]Text) (PromoBatch, error) {
	programmes, err := s.PromoProgrammes(ctx, a)
	if err != nil {
		return PromoBatch{}, err
	}
	if len(programmes) == 0 {
		return PromoBatch{}, forbidden()
	}
	if !validRequestID(requestID) {
		return PromoBatch{}, formStale()
	}
	if programmeID == 0 && len(programmes) == 1 {
		programmeID = programmes[0].ID
	}
	switch {
	case programmeID == 0:
		fields["programme"] = Say("promo_batch.choose_programme")
	case !slices.ContainsFunc(programmes, func(p Programme) bool { return p.ID == programmeID }):
		return PromoBatch{}, notFound() // no form offers another's
	}
	title = foldLine(title)
	if n := utf8.RuneCountInString(title); n == 0 || n > maxBatchTitle {
		fields["title"] = Say("promo_batch.title_length", "Most", maxBatchTitle)
	}
	return PromoBatch{ProgrammeID: programmeID, RequestID: requestID, Title: title, StaffID: a.ID, CreatedAt: s.now()}, nil
}

// batchCode is what every code of a batch has in common.
func batchCode(b PromoBatch) PromoCode {
	return PromoCode{ProgrammeID: b.ProgrammeID, Kind: BatchCode, State: PromoActive, CreatedAt: b.CreatedAt}
}

// addBatch writes a batch and lets fill add its codes, in one transaction.
// Where the request has made a batch before, that one is given and fill is not
// asked.
func (s *Service) addBatch(ctx context.Context, b PromoBatch, fill func(ctx context.Context, tx Tx, id int64) error) (PromoBatch, error) {
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		id, created, err := tx.AddPromoBatch(ctx, b)
		if err != nil {
			return err
		}
		if created {
			b.ID = id
			return fill(ctx, tx, id)
		}
		earlier, err := tx.PromoBatch(ctx, id)
		if err == nil && earlier.StaffID != b.StaffID {
			return notFound() // the id is no key to another's batch
		}
		b = earlier
		return err
	})
	return b, err
}

// drawPromoCodes adds n codes like the given one, each of 9 uniform random
// digits and their check digit. They are unique among all codes that there
// are, and all of one length, so none is the beginning of another: what is
// read out is never taken for a shorter code. Hundreds go into one statement;
// what was taken already is drawn again.
func drawPromoCodes(ctx context.Context, tx Tx, like PromoCode, n int) error {
	// Ten thousand draws meet a million live codes ten times on average, and
	// those ten hardly ever again; eight rounds are a broken random source.
	for range 8 {
		codes := make([]PromoCode, 0, n)
		drawn := map[string]bool{}
		for len(codes) < n {
			digits, err := newPromoDigits()
			if err != nil {
				return err
			}
			if !drawn[digits] {
				drawn[digits] = true
				like.Code = digits
				codes = append(codes, like)
			}
		}
		added, err := tx.AddPromoCodes(ctx, codes)
		if err != nil {
			return err
		}
		if n -= len(added); n == 0 {
			return nil
		}
	}
	return &Error{Kind: Internal, Err: errors.New("no free promo codes after eight draws")}
}

// readCount reads a whole number from 1 to most.
func readCount(typed string, most int) (int, bool) {
	n, err := strconv.Atoi(withoutSpaces(typed))
	return n, err == nil && n >= 1 && n <= most
}

// readRoubles reads a sum such as "500", "1 500,50" or "99.9" into kopecks.
func readRoubles(typed string) (int64, bool) {
	whole, part, split := strings.Cut(strings.Replace(withoutSpaces(typed), ",", ".", 1), ".")
	if whole == "" || len(whole) > 8 || split && (part == "" || len(part) > 2) || strings.Trim(whole+part, "0123456789") != "" {
		return 0, false
	}
	kopecks, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	return kopecks, err == nil && kopecks >= 1 && kopecks <= maxDiscount
}

func withoutSpaces(typed string) string { return strings.Join(strings.Fields(foldDigits(typed)), "") }
