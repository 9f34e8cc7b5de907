package sql_test

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// attempt is a check of a visit's advisor that met a limit.
func attempt(v domain.Visit, verdict string, met domain.LimitName, after time.Duration) domain.CodeAttempt {
	kind := domain.AttemptCheck
	if verdict == "send" || verdict == "failed" {
		kind = domain.AttemptSend
	}
	return domain.CodeAttempt{
		VisitID: v.ID, StoreID: v.StoreID, StaffID: v.AdvisorID, Kind: kind, Entry: domain.EntryAdvisor, Verdict: verdict,
		PhoneKey: "phone", AddressKey: "address", LimitMet: met, At: at(after),
	}
}

// What has spent a budget comes back by its own window, and nothing else does.
func TestCountedAttempts(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		v := addVisitFor(t, db, s, phone(1))
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for _, a := range []domain.CodeAttempt{
				attempt(v, "wrong", "", 0), attempt(v, "send", "", time.Hour), attempt(v, "wrong", "", 2*time.Hour),
				attempt(v, "right", "", 3*time.Hour), attempt(v, "wait", "", 3*time.Hour), attempt(v, "limited", domain.LimitStore, 3*time.Hour),
				attempt(v, "failed", "", 4*time.Hour), attempt(v, "send", "", 5*time.Hour),
			} {
				if err := sqltest.AddAttempt(ctx, tx, a); err != nil {
					return err
				}
			}
			for i, r := range []domain.Reason{domain.ReasonUnknown, domain.ReasonTypo, domain.ReasonUnknown} {
				_, err := tx.AddPromoRefusal(ctx, domain.PromoRefusal{
					StoreID: v.StoreID, StaffID: v.AdvisorID, Reason: r, AddressKey: "address", At: at(time.Duration(i) * time.Hour),
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		var got []string
		for _, a := range must(db.CountedAttempts(t.Context(), at(0), at(time.Hour)))(t) {
			got = append(got, a.Verdict+" "+a.At.Sub(at(0)).String())
		}
		equal(t, "counted", got, []string{"wrong 2h0m0s", "failed 4h0m0s", "send 5h0m0s"})
		refusals := must(db.CountedRefusals(t.Context(), at(0)))(t)
		if len(refusals) != 1 || refusals[0].AddressKey != "address" || !refusals[0].At.Equal(at(2*time.Hour)) {
			t.Errorf("refusals %+v", refusals)
		}
	})
}

func TestMetLimits(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		v, gone := addVisitFor(t, db, s, phone(1)), addVisitFor(t, db, s, phone(2))
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for _, a := range []domain.CodeAttempt{
				attempt(v, "wrong", domain.LimitPhoneDay, 0), attempt(v, "wrong", "", time.Hour), attempt(gone, "limited", domain.LimitStore, 2*time.Hour),
			} {
				if err := sqltest.AddAttempt(ctx, tx, a); err != nil {
					return err
				}
			}
			gone.ContactID, gone.CustomerName = nil, ""
			return tx.SaveVisit(ctx, gone)
		})
		all := must(db.MetLimits(t.Context(), nil, true, at(-time.Hour), 10))(t)
		if len(all) != 2 || all[0].Name != domain.LimitStore || all[0].Phone != "" || all[1].Phone != phone(1) ||
			all[1].StoreName != s.Moscow.Name || all[1].AdvisorName != s.MoscowAdvisor.Name || all[1].TimeZone != s.Moscow.TimeZone ||
			all[1].PhoneKey != "phone" || all[1].AddressKey != "address" || all[1].StaffID != v.AdvisorID || all[1].VisitID != v.ID {
			t.Errorf("all: %+v", all)
		}
		equal(t, "one", must(db.MetLimit(t.Context(), all[1].AttemptID))(t), all[1])
		if _, err := db.MetLimit(t.Context(), all[1].AttemptID+1); !domain.IsNotFound(err) {
			t.Errorf("an attempt that met none: %v", err)
		}
		for what, n := range map[string]int{
			"Moscow":         len(must(db.MetLimits(t.Context(), []int64{s.Moscow.ID}, false, at(-time.Hour), 10))(t)),
			"Ural":           len(must(db.MetLimits(t.Context(), []int64{s.Ural.ID}, false, at(-time.Hour), 10))(t)),
			"no store":       len(must(db.MetLimits(t.Context(), nil, false, at(-time.Hour), 10))(t)),
			"since an hour":  len(must(db.MetLimits(t.Context(), nil, true, at(time.Hour), 10))(t)),
			"a limit of one": len(must(db.MetLimits(t.Context(), nil, true, at(-time.Hour), 1))(t)),
		} {
			if want := map[string]int{"Moscow": 2, "since an hour": 1, "a limit of one": 1}[what]; n != want {
				t.Errorf("%s: %d, want %d", what, n, want)
			}
		}
	})
}

// A lift is recorded once, and the form sent again gives the first one.
func TestAddLimitLift(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		v := addVisitFor(t, db, s, phone(1))
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			return sqltest.AddAttempt(ctx, tx, attempt(v, "wrong", domain.LimitPhoneDay, 0))
		})
		met := must(db.MetLimits(t.Context(), nil, true, at(-time.Hour), 10))(t)[0]
		lift := domain.LimitLift{
			RequestID: "r", AttemptID: met.AttemptID, Name: met.Name, Subject: "phone:phone", StaffID: s.Supervisor.ID, Reason: "рядом", At: at(time.Hour),
		}
		for i := range 2 {
			do(t, db, func(ctx context.Context, tx domain.Tx) error {
				again := lift
				again.At = again.At.Add(time.Duration(i) * time.Hour)
				got, err := tx.AddLimitLift(ctx, again)
				lift.ID = got.ID
				equal(t, "lift", got, lift)
				return err
			})
		}
		equal(t, "lifts", must(db.LimitLifts(t.Context(), at(0)))(t), []domain.LimitLift{lift})
		record := domain.LiftRecord{
			LimitLift: lift, StaffName: s.Supervisor.Name, VisitID: v.ID, StoreName: s.Moscow.Name, TimeZone: s.Moscow.TimeZone,
		}
		equal(t, "all records", must(db.RecentLifts(t.Context(), nil, true, 10))(t), []domain.LiftRecord{record})
		equal(t, "records of Moscow", must(db.RecentLifts(t.Context(), []int64{s.Moscow.ID}, false, 10))(t), []domain.LiftRecord{record})
		if foreign := must(db.RecentLifts(t.Context(), []int64{s.Ural.ID}, false, 10))(t); len(foreign) != 0 {
			t.Errorf("records of another store: %+v", foreign)
		}
		if later := must(db.LimitLifts(t.Context(), at(time.Hour)))(t); len(later) != 0 {
			t.Errorf("later: %+v", later)
		}
	})
}

func TestForgetPhoneKeys(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		v := addVisitFor(t, db, s, phone(1))
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for i := range 3 {
				if err := sqltest.AddAttempt(ctx, tx, attempt(v, "wrong", "", time.Duration(i)*time.Hour)); err != nil {
					return err
				}
			}
			_, err := tx.AddPromoRefusal(ctx, domain.PromoRefusal{StoreID: v.StoreID, StaffID: v.AdvisorID, Reason: domain.ReasonUnknown, AddressKey: "a", At: at(0)})
			return err
		})
		for _, want := range []int{1, 1, 0} {
			do(t, db, func(ctx context.Context, tx domain.Tx) error {
				n, err := tx.ForgetPhoneKeys(ctx, at(2*time.Hour), 1)
				if n != want {
					t.Errorf("forgot %d, want %d", n, want)
				}
				return err
			})
		}
		if n := count(t, db, `SELECT count(*) FROM code_attempts WHERE phone_key <> '' OR address_key <> ''`); n != 1 {
			t.Errorf("%d attempts still name their phone, want 1", n)
		}
		if n := count(t, db, `SELECT count(*) FROM promo_refusals WHERE address_key <> ''`); n != 0 {
			t.Errorf("%d refusals still name their address", n)
		}
	})
}
