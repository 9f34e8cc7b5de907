package sql_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// at is a moment after the fixture, with microseconds that must survive.
func at(d time.Duration) time.Time { return sqltest.Start.Add(d + 123456*time.Microsecond) }

func ptr[T any](v T) *T { return &v }

// do runs f in a transaction that must succeed.
func do(t testing.TB, db *sql.DB, f func(ctx context.Context, tx domain.Tx) error) {
	t.Helper()
	if err := db.InTx(t.Context(), f); err != nil {
		t.Fatalf("transaction: %v", err)
	}
}

// must gives a read's result.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func isKind(t testing.TB, err error, want domain.Kind) {
	t.Helper()
	if err == nil || domain.KindOf(err) != want {
		t.Errorf("error %v is of kind %d, want %d", err, domain.KindOf(err), want)
	}
}

// count runs a SELECT count(*) outside of every layer that is under test.
func count(t testing.TB, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.Raw().QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

var serial atomic.Int64

// newVisit is an open visit of the Moscow advisor with both consents.
func newVisit(s sqltest.Set) domain.Visit {
	return domain.Visit{
		ProgrammeID: s.Programme.ID, StoreID: s.Moscow.ID, AdvisorID: s.MoscowAdvisor.ID,
		RequestID: fmt.Sprintf("request-%d", serial.Add(1)), Language: "ru", Day: "2025-06-02",
		StartedAt: at(0), TouchedAt: at(0), Age: domain.AgeNoDoubt,
		ConsentsAt: ptr(at(0)), PersonalData: true, Communications: true,
	}
}

// visitFor adds a visit with the contact of a phone.
func visitFor(ctx context.Context, tx domain.Tx, s sqltest.Set, phone string) (domain.Visit, error) {
	v := newVisit(s)
	id, _, err := tx.ContactForPhone(ctx, domain.Contact{Phone: phone, Name: "Иван", Language: "ru", CreatedAt: at(0)})
	if err != nil {
		return v, err
	}
	v.ContactID, v.Phone, v.CustomerName = &id, phone, "Иван"
	v.ID, _, err = tx.AddVisit(ctx, v)
	return v, err
}

// addVisitFor is visitFor in a transaction of its own.
func addVisitFor(t testing.TB, db *sql.DB, s sqltest.Set, phone string) (v domain.Visit) {
	t.Helper()
	do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
		v, err = visitFor(ctx, tx, s, phone)
		return err
	})
	return v
}

// phone makes the n-th phone of a range.
func phone(n int) string { return fmt.Sprintf("+7916%07d", n) }

// referral is a live referral code of three uses for the owner of a visit.
func referral(v domain.Visit, code string) domain.PromoCode {
	return domain.PromoCode{
		ProgrammeID: v.ProgrammeID, Code: code, Kind: domain.ReferralCode, OwnerID: *v.ContactID, OwnerPhone: v.Phone,
		State: domain.PromoActive, Discount: domain.Discount{Percent: 15}, MaxUses: 3,
		ExpiresAt: ptr(at(24 * time.Hour)), SourceVisitID: v.ID, CreatedAt: at(0),
	}
}

// addReferral adds a visit, its contact and that contact's code.
func addReferral(t testing.TB, db *sql.DB, s sqltest.Set, ownerPhone, code string) domain.PromoCode {
	t.Helper()
	p := referral(addVisitFor(t, db, s, ownerPhone), code)
	do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
		p.ID, _, err = tx.AddPromoCode(ctx, p)
		return err
	})
	return p
}

// hold is a redemption of a code by a visit, held at now for 15 minutes.
func hold(p domain.PromoCode, v domain.Visit, now time.Time) domain.Redemption {
	return domain.Redemption{
		ProgrammeID: p.ProgrammeID, PromoCodeID: p.ID, VisitID: v.ID, FriendID: *v.ContactID, FriendPhone: v.Phone,
		State: domain.RedemptionHeld, HeldAt: now, HeldUntil: now.Add(15 * time.Minute),
	}
}

// together runs f n times at once and waits; f must not call t.Fatal.
func together(n int, f func(i int)) {
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

// waitForLock returns once somebody waits for a row lock. PostgreSQL gives no
// signal for it, so it is asked.
func waitForLock(t testing.TB, db *sql.DB) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("nobody ever waited for a lock")
		}
	}
}
