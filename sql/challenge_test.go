package sql_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func TestCodeAttempts(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		v := addVisitFor(t, db, s, phone(1))
		want := []domain.CodeAttempt{
			{VisitID: v.ID, StoreID: v.StoreID, StaffID: v.AdvisorID, ChallengeID: "c", Kind: domain.AttemptSend, Entry: domain.EntryAdvisor,
				Verdict: "send", PhoneKey: "key", AddressKey: "address", At: at(0)},
			{VisitID: v.ID, StoreID: v.StoreID, StaffID: v.AdvisorID, Kind: domain.AttemptCheck, Entry: domain.EntrySelf, Verdict: "wrong",
				LimitMet: domain.LimitPhoneDay, AfterSend: 90*time.Minute + 7*time.Microsecond, At: at(time.Hour)},
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			return errors.Join(sqltest.AddAttempt(ctx, tx, want[0]), sqltest.AddAttempt(ctx, tx, want[1]))
		})
		got := must(db.CodeAttempts(t.Context(), v.ID))(t)
		for i := range min(len(got), len(want)) {
			want[i].ID = got[i].ID
		}
		equal(t, "attempts", got, want)
	})
}

// A challenge counts once, and so does a phone within a visit.
func TestAddVerification(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		v, w := addVisitFor(t, db, s, phone(1)), addVisitFor(t, db, s, phone(1))
		add := func(challenge string, v domain.Visit) (first bool) {
			t.Helper()
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				first, err = tx.AddVerification(ctx, domain.Verification{
					ChallengeID: challenge, VisitID: v.ID, ContactID: *v.ContactID, StoreID: v.StoreID, StaffID: v.AdvisorID, At: at(0),
				})
				return err
			})
			return first
		}
		for i, c := range []struct {
			got, want bool
		}{
			{add("a", v), true},
			{add("a", v), false},
			{add("a", w), false}, // the same challenge cannot verify another visit
			{add("b", v), false}, // the phone is verified in this visit
			{add("b", w), true},
		} {
			if c.got != c.want {
				t.Errorf("case %d: first is %t", i, c.got)
			}
		}
		// Once unlinked, the same person can be verified in the visit again, by a
		// new challenge and never by one that they answered before.
		unlink := func() {
			do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.UnlinkContact(ctx, v.ID) })
		}
		unlink()
		if !add("c", v) || add("a", v) {
			t.Error("after unlinking")
		}
		unlink()
		if add("a", v) || add("c", v) || add("a", w) {
			t.Error("a challenge was taken up again")
		}
		if !add("d", v) {
			t.Error("after unlinking twice")
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.EndVerification(ctx, v.ID) })
		if add("d", v) || !add("e", v) {
			t.Error("after the end of a verification whose contact stays")
		}

		var firsts [16]bool
		together(len(firsts), func(i int) {
			err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
				u, err := visitFor(ctx, tx, s, phone(i))
				if err != nil {
					return err
				}
				firsts[i], err = tx.AddVerification(ctx, domain.Verification{
					ChallengeID: "one", VisitID: u.ID, ContactID: *u.ContactID, StoreID: u.StoreID, StaffID: u.AdvisorID, At: at(0),
				})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		n := 0
		for _, first := range firsts {
			if first {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d of 16 parallel verifications of one challenge were first", n)
		}
	})
}
