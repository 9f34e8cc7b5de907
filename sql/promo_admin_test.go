package sql_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// addProgramme adds a second programme like that of the fixture.
func addProgramme(t testing.TB, db *sql.DB, s sqltest.Set) (id int64) {
	t.Helper()
	do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
		p := s.Programme
		p.Name = "Другая"
		id, err = tx.AddProgramme(ctx, p)
		return err
	})
	return id
}

// addBatch adds a batch with codes of these digits.
func addBatch(t testing.TB, db *sql.DB, s sqltest.Set, programmeID int64, title string, codes ...string) domain.PromoBatch {
	t.Helper()
	b := domain.PromoBatch{
		ProgrammeID: programmeID, RequestID: fmt.Sprintf("batch-%d", serial.Add(1)), Title: title, Imported: true,
		Size: len(codes), StaffID: s.Supervisor.ID, CreatedAt: at(0),
	}
	do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
		if b.ID, _, err = tx.AddPromoBatch(ctx, b); err != nil {
			return err
		}
		_, err = tx.AddPromoCodes(ctx, batchCodes(b, codes...))
		return err
	})
	return b
}

// batchCodes are codes of two uses for a batch.
func batchCodes(b domain.PromoBatch, codes ...string) (out []domain.PromoCode) {
	for _, code := range codes {
		out = append(out, domain.PromoCode{
			ProgrammeID: b.ProgrammeID, Code: code, Kind: domain.BatchCode, State: domain.PromoActive,
			Discount: domain.Discount{Kopecks: 99_50}, MaxUses: 2, ExpiresAt: ptr(at(24 * time.Hour)), BatchID: b.ID, CreatedAt: at(0),
		})
	}
	return out
}

// digitsOf are the last two digits of each code, in the order of the rows.
func digitsOf(rows []domain.PromoRow) (out string) {
	for _, r := range rows {
		out += " " + r.Code[8:]
	}
	return out
}

func TestPromoRows(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		other := addProgramme(t, db, s)
		owner := addVisitFor(t, db, s, phone(1))
		add := func(code string, change func(*domain.PromoCode)) (p domain.PromoCode) {
			t.Helper()
			p = referral(owner, code)
			change(&p)
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				p.ID, _, err = tx.AddPromoCode(ctx, p)
				return err
			})
			return p
		}
		first := add("0000000001", func(*domain.PromoCode) {})
		add("0000000002", func(p *domain.PromoCode) { p.State = domain.PromoFrozen })
		add("0000000003", func(p *domain.PromoCode) { p.State, p.ExpiresAt = domain.PromoVoid, ptr(at(0)) })
		add("0000000004", func(p *domain.PromoCode) { p.ExpiresAt = ptr(at(0)) }) // run out at this very moment
		trial := add("0000000005", func(p *domain.PromoCode) { p.Kind, p.MaxUses, p.ExpiresAt = domain.TrialCode, 1, nil })
		batch := addBatch(t, db, s, s.Programme.ID, "Листовки", "0000000007", "0000000006")
		foreign := addBatch(t, db, s, other, "Чужие", "0000000008")
		tryHold(t, db, hold(trial, owner, c.Now()))
		tryHold(t, db, hold(first, addVisitFor(t, db, s, phone(2)), c.Now()))

		list := func(f domain.PromoFilter) string {
			t.Helper()
			f.ProgrammeIDs = []int64{s.Programme.ID}
			return digitsOf(must(db.PromoRows(ctx, f))(t))
		}
		for _, want := range []struct {
			f     domain.PromoFilter
			codes string
		}{
			{domain.PromoFilter{}, " 07 06 05 04 03 02 01"}, // a batch is added in the order of its digits
			{domain.PromoFilter{Kind: domain.TrialCode}, " 05"},
			{domain.PromoFilter{Kind: domain.ReferralCode}, " 04 03 02 01"},
			{domain.PromoFilter{Kind: domain.BatchCode}, " 07 06"},
			{domain.PromoFilter{BatchID: batch.ID}, " 07 06"},
			{domain.PromoFilter{BatchID: foreign.ID}, ""},
			{domain.PromoFilter{Code: "0000000001"}, " 01"},
			{domain.PromoFilter{Code: "0000000008"}, ""}, // of the other programme
			{domain.PromoFilter{Phone: phone(1)}, " 05 04 03 02 01"},
			{domain.PromoFilter{Code: "0000000007", Phone: phone(1)}, " 07 05 04 03 02 01"},
			{domain.PromoFilter{Phone: phone(2)}, ""}, // a friend owns nothing
			{domain.PromoFilter{Standing: domain.StandingFrozen}, " 02"},
			{domain.PromoFilter{Standing: domain.StandingVoid}, " 03"},
			{domain.PromoFilter{Standing: domain.StandingExpired}, " 04"},
			{domain.PromoFilter{Standing: domain.StandingUsedUp}, " 05"},
			{domain.PromoFilter{Standing: domain.StandingActive}, " 07 06 01"},
			{domain.PromoFilter{Standing: domain.StandingActive, Kind: domain.ReferralCode}, " 01"},
		} {
			if got := list(want.f); got != want.codes {
				t.Errorf("%+v: got%s, want%s", want.f, got, want.codes)
			}
		}
		if got := must(db.PromoRows(ctx, domain.PromoFilter{}))(t); len(got) != 0 {
			t.Errorf("of no programme:%s", digitsOf(got))
		}
		equal(t, "of all programmes", digitsOf(must(db.PromoRows(ctx, domain.PromoFilter{AllProgrammes: true}))(t)), " 08 07 06 05 04 03 02 01")

		row := must(db.PromoRows(ctx, domain.PromoFilter{AllProgrammes: true, Code: "0000000007"}))(t)[0]
		code := must(db.PromoCode(ctx, "0000000007"))(t)
		equal(t, "the row of a batch", row, domain.PromoRow{PromoCode: code, BatchTitle: "Листовки"})
		first = must(db.PromoCodeByID(ctx, first.ID))(t)
		equal(t, "the row with a use held", must(db.PromoRows(ctx, domain.PromoFilter{AllProgrammes: true, Code: first.Code}))(t)[0],
			domain.PromoRow{PromoCode: first, Held: 1})

		// What the filter calls a standing is what the row says of itself, while
		// uses are held and when they have run out.
		for _, later := range []time.Duration{0, 15 * time.Minute} {
			c.advance(later)
			all := must(db.PromoRows(ctx, domain.PromoFilter{AllProgrammes: true}))(t)
			for _, standing := range domain.PromoStandings() {
				want := slices.DeleteFunc(slices.Clone(all), func(r domain.PromoRow) bool { return r.Standing(c.Now()) != standing })
				equal(t, string(standing), must(db.PromoRows(ctx, domain.PromoFilter{AllProgrammes: true, Standing: standing}))(t), want)
			}
		}
		if got := list(domain.PromoFilter{Standing: domain.StandingUsedUp}); got != "" {
			t.Errorf("used up although the hold has run out:%s", got)
		}

		// Page by page nothing is missed and nothing comes twice, although codes
		// are added meanwhile.
		f, pages := domain.PromoFilter{AllProgrammes: true, Limit: 3}, ""
		for range 3 {
			rows := must(db.PromoRows(ctx, f))(t)
			pages += digitsOf(rows) + ";"
			f.Before = rows[len(rows)-1].ID
			addBatch(t, db, s, s.Programme.ID, "Новые", fmt.Sprintf("1%09d", serial.Add(1)))
		}
		equal(t, "pages", pages, " 08 07 06; 05 04 03; 02 01;")
	})
}

func TestAddPromoCodes(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		b := addBatch(t, db, s, s.Programme.ID, "Первая", "0000000700", "0000001300")
		// More than one statement takes, in no order, with two taken already.
		var codes []string
		for i := range 1201 {
			codes = append(codes, fmt.Sprintf("%08d00", (i*7)%1201))
		}
		equal(t, "taken", sorted(must(db.TakenPromoCodes(ctx, codes))(t)), []string{"0000000700", "0000001300"})
		equal(t, "none of none", must(db.TakenPromoCodes(ctx, nil))(t), []string(nil))
		first := must(db.PromoCode(ctx, "0000000700"))(t)
		var added []string
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			second := b
			second.RequestID, second.Title = b.RequestID+"-2", "Вторая"
			if second.ID, _, err = tx.AddPromoBatch(ctx, second); err != nil {
				return err
			}
			added, err = tx.AddPromoCodes(ctx, batchCodes(second, codes...))
			return err
		})
		want := slices.DeleteFunc(sorted(codes), func(c string) bool { return c == "0000000700" || c == "0000001300" })
		equal(t, "added", sorted(added), want)
		equal(t, "what was taken stays as it was", must(db.PromoCode(ctx, "0000000700"))(t), first)
		if n := count(t, db, `SELECT count(*) FROM promo_codes`); n != 1201 {
			t.Errorf("%d codes in all", n)
		}
		wants := batchCodes(b, "0000001300")[0]
		wants.ID = must(db.PromoCode(ctx, "0000001300"))(t).ID
		equal(t, "round trip", must(db.PromoCode(ctx, "0000001300"))(t), wants)
		equal(t, "all are taken now", sorted(must(db.TakenPromoCodes(ctx, codes))(t)), sorted(codes))
		// A code that no rule allows undoes all of them.
		err := db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
			_, err := tx.AddPromoCodes(ctx, batchCodes(b, "2000000000", "200000000"))
			return err
		})
		if err == nil || count(t, db, `SELECT count(*) FROM promo_codes`) != 1201 {
			t.Errorf("nine digits were taken: %v", err)
		}
	})
}

func sorted(texts []string) []string { return slices.Sorted(slices.Values(texts)) }

func TestPromoBatches(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		other := addProgramme(t, db, s)
		first := addBatch(t, db, s, s.Programme.ID, "Первая", "0000000001", "0000000002")
		foreign := addBatch(t, db, s, other, "Чужая", "0000000003")
		last := addBatch(t, db, s, s.Programme.ID, "Маленькая", "0000000004")
		row := func(b domain.PromoBatch, used, most int) domain.PromoBatchRow {
			return domain.PromoBatchRow{PromoBatch: b, StaffName: s.Supervisor.Name, Used: used, MaxUses: most}
		}
		mine := []int64{s.Programme.ID}

		// A use that is held counts until it runs out, one that is confirmed for
		// good; a voided one by what was decided.
		code := must(db.PromoCode(ctx, "0000000001"))(t)
		confirmed(t, db, code, addVisitFor(t, db, s, phone(1)))
		kept := confirmed(t, db, code, addVisitFor(t, db, s, phone(2)))
		tryHold(t, db, hold(must(db.PromoCode(ctx, "0000000002"))(t), addVisitFor(t, db, s, phone(3)), c.Now()))
		list := func(what string, all bool, before int64, limit int, want ...domain.PromoBatchRow) {
			t.Helper()
			ids := mine
			if all {
				ids = nil
			}
			equal(t, what, must(db.PromoBatches(ctx, ids, all, before, limit))(t), want)
		}
		list("of one programme", false, 0, 10, row(last, 0, 2), row(first, 3, 4))
		list("of all programmes", true, 0, 10, row(last, 0, 2), row(foreign, 0, 2), row(first, 3, 4))
		list("the first page", true, 0, 2, row(last, 0, 2), row(foreign, 0, 2))
		list("the second page", true, foreign.ID, 2, row(first, 3, 4))
		c.advance(15 * time.Minute)
		list("the hold has run out", false, last.ID, 10, row(first, 2, 4))
		voidUse(t, db, kept, true)
		list("voided, the use is kept", false, last.ID, 10, row(first, 2, 4))
		if got := must(db.PromoBatches(ctx, nil, false, 0, 10))(t); len(got) != 0 {
			t.Errorf("of no programme: %+v", got)
		}

		equal(t, "choices", must(db.PromoBatchChoices(ctx, mine, false, 10))(t), []domain.PromoBatch{last, first})
		equal(t, "all choices, two of them", must(db.PromoBatchChoices(ctx, nil, true, 2))(t), []domain.PromoBatch{last, foreign})
		if got := must(db.PromoBatchChoices(ctx, nil, false, 10))(t); len(got) != 0 {
			t.Errorf("choices of no programme: %+v", got)
		}
		equal(t, "by id", must(db.PromoBatch(ctx, first.ID))(t), first)
		equal(t, "by request", must(db.PromoBatchByRequest(ctx, first.RequestID))(t), first)
		_, err := db.PromoBatchByRequest(ctx, "another")
		isKind(t, err, domain.NotFound)
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			again := first
			again.Title = "Ещё раз"
			id, created, err := tx.AddPromoBatch(ctx, again)
			if id != first.ID || created {
				t.Errorf("the same request made %d, %t", id, created)
			}
			return err
		})
		equal(t, "what was made first stays", must(db.PromoBatch(ctx, first.ID))(t), first)
	})
}
