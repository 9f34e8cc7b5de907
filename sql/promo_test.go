package sql_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// clock is a time that a test moves.
type clock struct{ micros atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.micros.Store(t.UnixMicro())
	return c
}
func (c *clock) Now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// eachWithClock is sqltest.Each with a clock at at(0).
func eachWithClock(t *testing.T, f func(t *testing.T, db *sql.DB, c *clock)) {
	t.Helper()
	c := newClock(at(0))
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		c.micros.Store(at(0).UnixMicro())
		f(t, db, c)
	}, sqltest.WithClock(c.Now))
}

func tryHold(t testing.TB, db *sql.DB, r domain.Redemption) (id int64, ok bool) {
	t.Helper()
	do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
		id, ok, err = tx.Hold(ctx, r)
		return err
	})
	return id, ok
}

// recount holds every code's counter against its rows, and the rows against
// the two rules that no code may break.
func recount(t testing.TB, db *sql.DB) {
	t.Helper()
	for what, query := range map[string]string{
		"codes whose counter is not the number of their uses": `SELECT count(*) FROM promo_codes p WHERE used <> (
			SELECT count(*) FROM redemptions r WHERE r.promo_code_id = p.id AND (r.state IN ('held', 'confirmed') OR r.use_kept))`,
		"codes with too many uses": `SELECT count(*) FROM promo_codes WHERE used > max_uses OR used < 0`,
		"phones with two uses": `SELECT count(*) FROM (SELECT friend_phone FROM redemptions
			WHERE state IN ('held', 'confirmed') GROUP BY programme_id, friend_phone HAVING count(*) > 1) AS twice`,
		"owners who used their own referral code": `SELECT count(*) FROM redemptions r JOIN promo_codes p ON p.id = r.promo_code_id
			WHERE p.kind = 'referral' AND p.owner_id = r.friend_id`,
		"gifts that wait although too few friends have bought": `SELECT count(*) FROM gifts g
			JOIN programmes o ON o.id = g.programme_id WHERE g.state = 'earned' AND o.gift_friends > (
			SELECT count(*) FROM redemptions r WHERE r.promo_code_id = g.promo_code_id AND r.state = 'confirmed')`,
	} {
		if n := count(t, db, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

func TestPromoRoundTrip(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, _ *clock) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		owner := addVisitFor(t, db, s, phone(1))
		p := referral(owner, "0123456789")
		p.Discount, p.ExpiresAt = domain.Discount{Kopecks: 500_00}, nil
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			var ok bool
			if p.ID, ok, err = tx.AddPromoCode(ctx, p); err != nil || !ok {
				t.Errorf("add: %t, %v", ok, err)
			}
			if _, ok, err = tx.AddPromoCode(ctx, p); err != nil || ok {
				t.Errorf("add the digits again: %t, %v", ok, err)
			}
			return err
		})
		equal(t, "by digits", must(db.PromoCode(ctx, p.Code))(t), p)
		equal(t, "by id", must(db.PromoCodeByID(ctx, p.ID))(t), p)
		_, err := db.PromoCode(ctx, "9999999999")
		isKind(t, err, domain.NotFound)
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.SetPromoState(ctx, p.ID, domain.PromoFrozen) })
		p.State = domain.PromoFrozen
		equal(t, "frozen", must(db.PromoCodeByID(ctx, p.ID))(t), p)
		for _, bad := range []string{"", "123456789", "12345678901", "12345 6789", "12345678９"} {
			q := p
			q.Code = bad
			if db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error { _, _, err := tx.AddPromoCode(ctx, q); return err }) == nil {
				t.Errorf("the code %q was taken", bad)
			}
		}

		refusals := []domain.PromoRefusal{
			{VisitID: &owner.ID, StoreID: s.Moscow.ID, StaffID: s.MoscowAdvisor.ID, Reason: domain.ReasonUnknown, AddressKey: "address", At: at(0)},
			{VisitID: &owner.ID, PromoCodeID: &p.ID, StoreID: s.Moscow.ID, StaffID: s.MoscowAdvisor.ID, Reason: domain.ReasonFrozen, At: at(time.Second)},
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for _, r := range append(refusals, domain.PromoRefusal{StoreID: s.Ural.ID, StaffID: s.UralAdvisor.ID, Reason: domain.ReasonTypo, At: at(0)}) {
				if _, err := tx.AddPromoRefusal(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
		got := must(db.PromoRefusals(ctx, owner.ID))(t)
		for i := range min(len(got), len(refusals)) {
			refusals[i].ID = got[i].ID
		}
		equal(t, "refusals", got, refusals)
		if n := count(t, db, `SELECT count(*) FROM promo_refusals WHERE visit_id IS NULL`); n != 1 {
			t.Errorf("%d refusals of the quick page", n)
		}
	})
}

func TestLiveCode(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		s := sqltest.Fixture(t, db)
		owner := addVisitFor(t, db, s, phone(1))
		live := func(when time.Time) string {
			t.Helper()
			p, err := db.LiveCode(t.Context(), s.Programme.ID, *owner.ContactID, domain.ReferralCode, when)
			if domain.IsNotFound(err) {
				return ""
			}
			if err != nil {
				t.Fatal(err)
			}
			return p.Code
		}
		add := func(code string, change func(*domain.PromoCode)) (p domain.PromoCode) {
			p = referral(owner, code)
			change(&p)
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				p.ID, _, err = tx.AddPromoCode(ctx, p)
				return err
			})
			return p
		}
		add("0000000001", func(p *domain.PromoCode) { p.State = domain.PromoVoid })
		add("0000000003", func(p *domain.PromoCode) { p.ExpiresAt = ptr(at(0)) })
		add("0000000004", func(p *domain.PromoCode) { p.Kind = domain.TrialCode })
		if got := live(at(0)); got != "" {
			t.Errorf("code %s is live", got)
		}
		p := add("0000000005", func(p *domain.PromoCode) { p.MaxUses = 1 })
		if got := live(at(0)); got != p.Code {
			t.Errorf("live code %q", got)
		}
		if got := live(*p.ExpiresAt); got != "" {
			t.Errorf("code %s is live when it expires", got)
		}
		if _, ok := tryHold(t, db, hold(p, addVisitFor(t, db, s, phone(2)), c.Now())); !ok {
			t.Fatal("not held")
		}
		// A hold may come to nothing, so the code is not used up.
		if got := live(at(0)); got != p.Code {
			t.Errorf("live code %q with every use held", got)
		}
		if got := live(at(15 * time.Minute)); got != p.Code {
			t.Errorf("live code %q after the hold has run out", got)
		}
		// Nor does a freeze make room for another one.
		frozen := add("0000000002", func(p *domain.PromoCode) { p.State = domain.PromoFrozen })
		if got := live(at(0)); got != frozen.Code {
			t.Errorf("live code %q beside a frozen one", got)
		}
		_, err := db.LiveCode(t.Context(), s.Programme.ID, 1<<40, domain.ReferralCode, at(0))
		isKind(t, err, domain.NotFound)
		err = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			got, err := tx.LiveCode(ctx, s.Programme.ID, *owner.ContactID, domain.TrialCode, at(0))
			if got.Code != "0000000004" {
				t.Errorf("live trial code %q", got.Code)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Two purchases of one customer at the same moment give one code.
func TestLiveCodeAtOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		owner := addVisitFor(t, db, s, phone(1))
		together(8, func(i int) {
			err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				_, err := tx.LiveCode(ctx, s.Programme.ID, *owner.ContactID, domain.ReferralCode, at(0))
				if domain.IsNotFound(err) {
					_, _, err = tx.AddPromoCode(ctx, referral(owner, "000000000"+string(rune('0'+i))))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		if n := count(t, db, `SELECT count(*) FROM promo_codes`); n != 1 {
			t.Errorf("%d codes for one owner", n)
		}
	})
}

// Every condition of Hold, one by one: refused, nothing changes.
func TestHoldConditions(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		trial := referral(addVisitFor(t, db, s, phone(2)), "0000000002")
		trial.Kind, trial.MaxUses = domain.TrialCode, 1
		var other int64
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			if trial.ID, _, err = tx.AddPromoCode(ctx, trial); err != nil {
				return err
			}
			other, err = tx.AddProgramme(ctx, s.Programme)
			return err
		})
		friend := addVisitFor(t, db, s, phone(3))
		good := hold(p, friend, c.Now())
		state := func(st domain.PromoState) {
			do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.SetPromoState(ctx, p.ID, st) })
		}
		refused := func(why string, r domain.Redemption) {
			t.Helper()
			before := count(t, db, `SELECT sum(used) FROM promo_codes`)
			if _, ok := tryHold(t, db, r); ok {
				t.Errorf("%s: held", why)
			}
			if after := count(t, db, `SELECT sum(used) FROM promo_codes`); after != before {
				t.Errorf("%s: %d uses are counted, %d before", why, after, before)
			}
			recount(t, db)
		}
		refused("own code", hold(p, addVisitFor(t, db, s, phone(1)), c.Now()))
		refused("somebody else's trial code", hold(trial, friend, c.Now()))
		late := good
		late.HeldAt = *p.ExpiresAt
		refused("expired", late)
		foreign := good
		foreign.ProgrammeID = other
		refused("another programme", foreign)
		unknown := good
		unknown.PromoCodeID = 1 << 40
		refused("unknown", unknown)
		state(domain.PromoFrozen)
		refused("frozen", good)
		state(domain.PromoVoid)
		refused("void", good)
		state(domain.PromoActive)

		id, ok := tryHold(t, db, good)
		if !ok {
			t.Fatal("a good hold is refused")
		}
		refused("the phone in another visit", hold(p, addVisitFor(t, db, s, phone(3)), c.Now()))
		again := hold(p, friend, c.Now())
		again.FriendID, again.FriendPhone = *addVisitFor(t, db, s, phone(4)).ContactID, phone(4)
		refused("the visit with another phone", again)
		if _, ok := tryHold(t, db, hold(trial, addVisitFor(t, db, s, phone(2)), c.Now())); !ok {
			t.Error("the owner may not use their trial code")
		}

		good.ID, good.Code, good.Kind, good.Discount, good.OwnerID = id, p.Code, p.Kind, p.Discount, p.OwnerID
		equal(t, "redemption", must(db.LiveRedemption(t.Context(), friend.ID))(t), good)
		for n := 5; n < 7; n++ {
			if _, ok := tryHold(t, db, hold(p, addVisitFor(t, db, s, phone(n)), c.Now())); !ok {
				t.Errorf("use %d is refused", n-3)
			}
		}
		refused("used up", hold(p, addVisitFor(t, db, s, phone(7)), c.Now()))
	})
}

func TestConfirmAndRelease(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		var visits [3]domain.Visit
		var ids [3]int64
		for i := range visits {
			visits[i] = addVisitFor(t, db, s, phone(2+i))
			ids[i], _ = tryHold(t, db, hold(p, visits[i], c.Now()))
		}
		confirm := func(id int64) (ok bool) {
			t.Helper()
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				ok, err = tx.Confirm(ctx, id, at(time.Minute))
				return err
			})
			recount(t, db)
			return ok
		}
		release := func(id int64, state domain.RedemptionState) (ok bool) {
			t.Helper()
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				ok, err = tx.Release(ctx, id, state, at(time.Minute))
				return err
			})
			recount(t, db)
			return ok
		}
		if n := must(db.HeldUses(ctx, p.ID))(t); n != 3 {
			t.Errorf("%d uses are held", n)
		}
		if !confirm(ids[0]) || confirm(ids[0]) || release(ids[0], domain.RedemptionReleased) || confirm(1<<40) {
			t.Error("confirmed never, twice, or released afterwards")
		}
		if !release(ids[1], domain.RedemptionReleased) || release(ids[1], domain.RedemptionExpired) || confirm(ids[1]) || release(1<<40, domain.RedemptionExpired) {
			t.Error("released never, twice, or confirmed afterwards")
		}
		if !release(ids[2], domain.RedemptionExpired) {
			t.Error("not expired")
		}
		if got := must(db.PromoCodeByID(ctx, p.ID))(t).Used; got != 1 {
			t.Errorf("%d uses", got)
		}
		for i, want := range []domain.RedemptionState{domain.RedemptionConfirmed, domain.RedemptionReleased, domain.RedemptionExpired} {
			rows := must(db.Redemptions(ctx, visits[i].ID))(t)
			if len(rows) != 1 || rows[0].State != want || rows[0].SettledAt == nil || !rows[0].SettledAt.Equal(at(time.Minute)) {
				t.Errorf("visit %d: %+v, want %s", i, rows, want)
			}
		}
		_, err := db.LiveRedemption(ctx, visits[1].ID)
		isKind(t, err, domain.NotFound)
		for i, want := range []bool{true, false, false} {
			if got := must(db.PhoneRedeemed(ctx, s.Programme.ID, phone(2+i), 0))(t); got != want {
				t.Errorf("phone %d has redeemed: %t", i, got)
			}
		}
		if must(db.PhoneRedeemed(ctx, s.Programme.ID, phone(2), visits[0].ID))(t) {
			t.Error("the visit's own use bars it")
		}
		if db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
			_, err := tx.Release(ctx, ids[0], domain.RedemptionConfirmed, at(0))
			return err
		}) == nil {
			t.Error("released into the state confirmed")
		}

		// The friend leaves the rows that do not count, and stays in those that do.
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for _, v := range visits {
				if err := tx.UnlinkContact(ctx, v.ID); err != nil {
					return err
				}
			}
			return nil
		})
		for i, want := range []string{phone(2), "", ""} {
			got := must(db.Redemptions(ctx, visits[i].ID))(t)[0]
			if got.FriendPhone != want || (got.FriendID == 0) != (want == "") {
				t.Errorf("visit %d after unlinking: friend %d %q", i, got.FriendID, got.FriendPhone)
			}
		}
	})
}

// A hold that has run out frees its use and its phone for whoever comes next,
// and every read says so before anybody swept it.
func TestRunOutHold(t *testing.T) {
	eachWithClock(t, func(t *testing.T, db *sql.DB, c *clock) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		a, b := addReferral(t, db, s, phone(1), "0000000001"), addReferral(t, db, s, phone(2), "0000000002")
		var ids []int64
		for n := 3; n < 6; n++ {
			id, _ := tryHold(t, db, hold(a, addVisitFor(t, db, s, phone(n)), c.Now()))
			ids = append(ids, id)
		}
		look := func() (left, held int, phoneUsed bool) {
			return must(db.PromoCodeByID(ctx, a.ID))(t).Left(), must(db.HeldUses(ctx, a.ID))(t),
				must(db.PhoneRedeemed(ctx, s.Programme.ID, phone(3), 0))(t)
		}
		c.advance(15*time.Minute - time.Microsecond)
		if left, held, used := look(); left != 0 || held != 3 || !used {
			t.Errorf("before: %d left, %d held, phone used %t", left, held, used)
		}
		if _, ok := tryHold(t, db, hold(a, addVisitFor(t, db, s, phone(6)), c.Now())); ok {
			t.Error("a fourth use was held")
		}
		if got := must(db.ExpiredHolds(ctx, c.Now(), 10))(t); len(got) != 0 {
			t.Errorf("run out too early: %v", got)
		}
		c.advance(time.Microsecond)
		if left, held, used := look(); left != 3 || held != 0 || used {
			t.Errorf("after: %d left, %d held, phone used %t", left, held, used)
		}
		equal(t, "expired holds", must(db.ExpiredHolds(ctx, c.Now(), 10))(t), ids)
		equal(t, "expired holds, two at most", must(db.ExpiredHolds(ctx, c.Now(), 2))(t), ids[:2])

		// The phone of one run-out hold takes another code: both codes are
		// right afterwards, and the two other holds still stand in their rows.
		if _, ok := tryHold(t, db, hold(b, addVisitFor(t, db, s, phone(3)), c.Now())); !ok {
			t.Error("the phone of a run-out hold is barred")
		}
		recount(t, db)
		equal(t, "expired holds that are left", must(db.ExpiredHolds(ctx, c.Now(), 10))(t), ids[1:])
		// The next one to ask for the first code frees all of it.
		if _, ok := tryHold(t, db, hold(a, addVisitFor(t, db, s, phone(6)), c.Now())); !ok {
			t.Error("a run-out use is not given to the next one")
		}
		recount(t, db)
		if left, held, _ := look(); left != 2 || held != 1 {
			t.Errorf("at last: %d left, %d held", left, held)
		}
		if n := count(t, db, `SELECT count(*) FROM redemptions WHERE state = 'expired'`); n != 3 {
			t.Errorf("%d expired", n)
		}
	})
}
