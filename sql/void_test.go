package sql_test

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func voidUse(t testing.TB, db *sql.DB, id int64, kept bool) (ok bool) {
	t.Helper()
	do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
		ok, err = tx.VoidRedemption(ctx, id, kept, at(time.Hour))
		return err
	})
	recount(t, db)
	return ok
}

// confirmed is a use that was held and confirmed.
func confirmed(t testing.TB, db *sql.DB, p domain.PromoCode, v domain.Visit) (id int64) {
	t.Helper()
	do(t, db, func(ctx context.Context, tx domain.Tx) error {
		held, ok, err := tx.Hold(ctx, hold(p, v, at(0)))
		if err != nil || !ok {
			t.Errorf("held: %t, %v", ok, err)
			return err
		}
		id = held
		if ok, err = tx.Confirm(ctx, id, at(0)); !ok {
			t.Errorf("not confirmed: %v", err)
		}
		return err
	})
	return id
}

func TestVoidRedemption(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		var visits [3]domain.Visit
		for i := range visits {
			visits[i] = addVisitFor(t, db, s, phone(2+i))
		}
		back, kept := confirmed(t, db, p, visits[0]), confirmed(t, db, p, visits[1])
		held, _ := tryHold(t, db, hold(p, visits[2], c.Now()))
		if voidUse(t, db, held, false) || voidUse(t, db, 1<<40, false) {
			t.Error("a use that is not confirmed was voided")
		}
		if !voidUse(t, db, back, false) || voidUse(t, db, back, true) || !voidUse(t, db, kept, true) || voidUse(t, db, kept, false) {
			t.Error("voided never or twice")
		}
		if used := must(db.PromoCodeByID(t.Context(), p.ID))(t).Used; used != 2 { // held and kept
			t.Errorf("%d uses", used)
		}
		for i, want := range []bool{false, true} {
			r := must(db.Redemptions(t.Context(), visits[i].ID))(t)[0]
			if r.State != domain.RedemptionVoided || r.UseKept != want || r.VoidedAt == nil || !r.VoidedAt.Equal(at(time.Hour)) || r.OwnerID != p.OwnerID {
				t.Errorf("use %d: %+v", i, r)
			}
			if must(db.PhoneRedeemed(t.Context(), s.Programme.ID, phone(2+i), 0))(t) {
				t.Errorf("phone %d is still barred", i)
			}
		}
		if n := must(db.ConfirmedUses(t.Context(), p.ID))(t); n != 0 {
			t.Errorf("%d are confirmed", n)
		}
		// The same phone takes another use of the same code.
		if _, ok := tryHold(t, db, hold(p, addVisitFor(t, db, s, phone(2)), c.Now())); !ok {
			t.Error("the use did not come back")
		}
		recount(t, db)
	})
}

// Every caller voids every use, while others take what comes back.
func TestVoidAtOnce(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(0), "0000000001")
		var ids []int64
		for n := 1; n < 4; n++ {
			ids = append(ids, confirmed(t, db, p, addVisitFor(t, db, s, phone(n))))
		}
		together(12, func(i int) {
			err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				if i%2 == 0 {
					_, err := tx.VoidRedemption(ctx, ids[i%3], false, at(time.Hour))
					return err
				}
				v, err := visitFor(ctx, tx, s, phone(10+i))
				if err != nil {
					return err
				}
				_, _, err = tx.Hold(ctx, hold(p, v, c.Now()))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		recount(t, db)
		if n := count(t, db, `SELECT count(*) FROM redemptions WHERE state = 'voided'`); n != 3 {
			t.Errorf("%d voided", n)
		}
	})
}

func TestStandingPurchase(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		var visits [3]domain.Visit
		for i := range visits {
			v := addVisitFor(t, db, s, phone(1))
			v.Outcome, v.EndedAt, v.ProductID, v.Price = domain.Purchase, ptr(at(0)), &s.Products[0].ID, s.Products[0].Price
			if i > 0 { // the first was never verified
				v.VerifiedAt = ptr(at(0))
			}
			do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.SaveVisit(ctx, v) })
			visits[i] = v
		}
		stands := func(want int64) {
			t.Helper()
			v, err := db.StandingPurchase(ctx, s.Programme.ID, *visits[0].ContactID, visits[2].ID)
			if err != nil && !domain.IsNotFound(err) || v.ID != want {
				t.Errorf("visit %d stands, %v, want %d", v.ID, err, want)
			}
			if got := must(db.Bought(ctx, s.Programme.ID, *visits[0].ContactID, visits[2].ID))(t); got != (want != 0) {
				t.Errorf("has bought: %t", got)
			}
		}
		stands(visits[1].ID)
		gone := visits[1]
		gone.VoidedAt, gone.VoidedBy, gone.VoidReason = ptr(at(time.Hour)), &s.Supervisor.ID, "вернули"
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.SaveVisit(ctx, gone) })
		equal(t, "the voided visit", must(db.Visit(ctx, gone.ID))(t), gone)
		stands(0)
	})
}

func TestOwnedCodesAndTheirEvents(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, _ *clock) {
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		addReferral(t, db, s, phone(2), "0000000002")
		owned := func() []domain.PromoCode {
			return must(db.OwnedCodes(t.Context(), s.Programme.ID, p.OwnerID, domain.ReferralCode))(t)
		}
		equal(t, "owned", owned(), []domain.PromoCode{p})
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			if err := tx.SetPromoState(ctx, p.ID, domain.PromoVoid); err != nil {
				return err
			}
			for _, who := range []int64{s.Supervisor.ID, 0} {
				if err := tx.AddPromoEvent(ctx, domain.PromoEvent{PromoCodeID: p.ID, StaffID: who, At: at(0), Kind: domain.PromoVoided, Detail: "вернули"}); err != nil {
					return err
				}
			}
			return nil
		})
		if got := owned(); len(got) != 0 {
			t.Errorf("a void code is still owned: %+v", got)
		}
		if n := count(t, db, `SELECT count(*) FROM promo_events WHERE promo_code_id = $1 AND kind = 'voided' AND detail = 'вернули' AND (staff_id = $2 OR staff_id IS NULL)`, p.ID, s.Supervisor.ID); n != 2 {
			t.Errorf("%d events", n)
		}
	})
}
