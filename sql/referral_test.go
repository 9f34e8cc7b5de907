package sql_test

import (
	"context"
	"fmt"
	"testing"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func TestReferred(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, _ *clock) {
		s := sqltest.Fixture(t, db)
		codes := make([]domain.PromoCode, 4)
		for i := range codes {
			codes[i] = addReferral(t, db, s, phone(i), fmt.Sprintf("%010d", i))
		}
		referred := func(who, by int) bool {
			t.Helper()
			return must(db.Referred(t.Context(), s.Programme.ID, codes[who].OwnerID, codes[by].OwnerID))(t)
		}
		// 1 came through 0, and 2 through 1; held and confirmed are alike.
		confirmed(t, db, codes[0], addVisitFor(t, db, s, phone(1)))
		held, _ := tryHold(t, db, hold(codes[1], addVisitFor(t, db, s, phone(2)), at(0)))
		for pair, want := range map[[2]int]bool{{1, 0}: true, {2, 1}: true, {2, 0}: true, {0, 1}: false, {0, 2}: false, {1, 2}: false, {3, 0}: false, {0, 3}: false} {
			if got := referred(pair[0], pair[1]); got != want {
				t.Errorf("%d through %d: %t", pair[0], pair[1], got)
			}
		}
		if must(db.Referred(t.Context(), s.Programme.ID+1, codes[1].OwnerID, codes[0].OwnerID))(t) {
			t.Error("a chain of another programme counts")
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			_, err := tx.Release(ctx, held, domain.RedemptionReleased, at(0))
			return err
		})
		if referred(2, 0) {
			t.Error("a released use still links")
		}
		// A ring that is in the data from before ends the walk all the same.
		confirmed(t, db, codes[1], addVisitFor(t, db, s, phone(0)))
		if !referred(0, 1) || referred(0, 3) {
			t.Error("lost in a ring")
		}
	})
}

// Whoever gives a friend a first code waits for the hold that asked whether
// there is one.
func TestLockReferralsHoldsBackTheFirstCode(t *testing.T) {
	db := sqltest.Postgres(t)
	s := sqltest.Fixture(t, db)
	friend := addVisitFor(t, db, s, phone(1))
	issued := make(chan error, 1)
	do(t, db, func(ctx context.Context, tx domain.Tx) error {
		if err := tx.LockReferrals(ctx, s.Programme.ID, *friend.ContactID); err != nil {
			return err
		}
		go func() {
			issued <- db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				if err := tx.LockContacts(ctx, *friend.ContactID); err != nil {
					return err
				}
				_, _, err := tx.AddPromoCode(ctx, referral(friend, "0000000001"))
				return err
			})
		}()
		waitForLock(t, db)
		return nil
	})
	if err := <-issued; err != nil {
		t.Error(err)
	}
	// From now on the friend queues with the others who own a code.
	entered := make(chan error, 1)
	do(t, db, func(ctx context.Context, tx domain.Tx) error {
		if err := tx.LockReferrals(ctx, s.Programme.ID, *friend.ContactID); err != nil {
			return err
		}
		other := addReferral(t, db, s, phone(2), "0000000002")
		go func() {
			entered <- db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				return tx.LockReferrals(ctx, s.Programme.ID, other.OwnerID)
			})
		}()
		waitForLock(t, db)
		// Who owns none does not wait.
		stranger := addVisitFor(t, db, s, phone(3))
		if err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			return tx.LockReferrals(ctx, s.Programme.ID, *stranger.ContactID)
		}); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err := <-entered; err != nil {
		t.Error(err)
	}
}
