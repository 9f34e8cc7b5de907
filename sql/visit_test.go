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

func addVisit(t testing.TB, db *sql.DB, v domain.Visit) (id int64) {
	t.Helper()
	do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
		id, _, err = tx.AddVisit(ctx, v)
		return err
	})
	return id
}

func TestVisitRoundTrip(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		bare := domain.Visit{
			ProgrammeID: s.Programme.ID, StoreID: s.Ural.ID, AdvisorID: s.UralAdvisor.ID, RequestID: "bare",
			Language: "en", Day: "2025-06-02", StartedAt: at(0), TouchedAt: at(0),
		}
		bare.ID = addVisit(t, db, bare)
		equal(t, "bare visit", must(db.Visit(t.Context(), bare.ID))(t), bare)

		full := addVisitFor(t, db, s, phone(1))
		full.Language, full.TouchedAt, full.EndedAt = "en", at(time.Minute), ptr(at(time.Minute))
		full.Age, full.ConsentsAt, full.VerifiedAt = domain.AgeSeen, ptr(at(1)), ptr(at(2*time.Second))
		full.CodeSkipped, full.PromoPassed, full.CustomerName = true, true, "Пётр"
		full.Outcome, full.ProductID, full.Price, full.Discount = domain.Purchase, &s.Products[0].ID, 2990_00, 448_50
		full.ConsentsAt = ptr(full.ConsentsAt.Truncate(time.Microsecond))
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			locked, err := tx.LockVisit(ctx, full.ID)
			if err != nil {
				return err
			}
			if locked.Phone != phone(1) || locked.Ended() {
				t.Errorf("locked %+v", locked)
			}
			if err := tx.SaveVisit(ctx, full); err != nil {
				return err
			}
			seen, err := tx.Visit(ctx, full.ID)
			equal(t, "visit inside the transaction", seen, full)
			return err
		})
		equal(t, "full visit", must(db.Visit(t.Context(), full.ID))(t), full)

		events := []domain.VisitEvent{
			{VisitID: full.ID, StaffID: s.MoscowAdvisor.ID, At: at(0), Kind: domain.EventStarted},
			{VisitID: full.ID, At: at(time.Hour), Kind: domain.EventOutcome, Detail: string(domain.Abandoned)},
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			return errors.Join(tx.AddVisitEvent(ctx, events[0]), tx.AddVisitEvent(ctx, events[1]))
		})
		equal(t, "events", must(db.VisitEvents(t.Context(), full.ID))(t), events)

		err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			_, err := tx.LockVisit(ctx, 1<<40)
			isKind(t, err, domain.NotFound)
			full.ID = 1 << 40
			return tx.SaveVisit(ctx, full)
		})
		isKind(t, err, domain.NotFound)
	})
}

// The database itself refuses a visit that must not exist.
func TestVisitChecks(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		contact := addVisitFor(t, db, s, phone(1)).ContactID
		for name, spoil := range map[string]func(*domain.Visit){
			"a name without consent":     func(v *domain.Visit) { v.PersonalData, v.CustomerName = false, "Иван" },
			"a contact without consent":  func(v *domain.Visit) { v.PersonalData, v.ContactID = false, contact },
			"ended without an outcome":   func(v *domain.Visit) { v.EndedAt = ptr(at(0)) },
			"an outcome but not ended":   func(v *domain.Visit) { v.Outcome = domain.Left },
			"a purchase of nothing":      func(v *domain.Visit) { v.Outcome, v.EndedAt = domain.Purchase, ptr(at(0)) },
			"more discount than price":   func(v *domain.Visit) { v.Price, v.Discount = 100, 101 },
			"an unknown outcome":         func(v *domain.Visit) { v.Outcome, v.EndedAt = "stolen", ptr(at(0)) },
			"an unknown age check":       func(v *domain.Visit) { v.Age = "maybe" },
			"a store that is not there":  func(v *domain.Visit) { v.StoreID = 1 << 40 },
			"no request id":              func(v *domain.Visit) { v.RequestID = "" },
			"a day that is not one":      func(v *domain.Visit) { v.Day = "today" },
			"a contact that's not there": func(v *domain.Visit) { v.ContactID = ptr(int64(1 << 40)) },
		} {
			v := newVisit(s)
			spoil(&v)
			err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				_, _, err := tx.AddVisit(ctx, v)
				return err
			})
			if err == nil || domain.KindOf(err) != domain.Internal {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A double tap, and one that comes sixteen times at once, is one visit.
func TestAddVisitOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		v := newVisit(sqltest.Fixture(t, db))
		type answer struct {
			id      int64
			created bool
			err     error
		}
		answers := make([]answer, 16)
		together(len(answers), func(i int) {
			a := &answers[i]
			a.err = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
				a.id, a.created, err = tx.AddVisit(ctx, v)
				return err
			})
		})
		created := 0
		for _, a := range answers {
			if a.err != nil || a.id != answers[0].id || a.id == 0 {
				t.Errorf("answer %+v, want id %d", a, answers[0].id)
			}
			if a.created {
				created++
			}
		}
		if n := count(t, db, `SELECT count(*) FROM visits`); created != 1 || n != 1 {
			t.Errorf("%d times created, %d rows", created, n)
		}
	})
}

// Whoever waits for the lock sees the visit, and its contact, as the one
// before left them.
func TestLockVisitSeesTheLatest(t *testing.T) {
	for name, phones := range map[string][2]string{
		"a contact comes":         {"", phone(1)},
		"another contact":         {phone(1), phone(2)},
		"the contact goes":        {phone(1), ""},
		"the contact stays":       {phone(1), phone(1)},
		"there is no contact yet": {"", ""},
	} {
		t.Run(name, func(t *testing.T) { lockAfterWaiting(t, phones[0], phones[1]) })
	}
}

// lockAfterWaiting locks a visit while another transaction, which holds it,
// changes its phone.
func lockAfterWaiting(t *testing.T, before, after string) {
	t.Helper()
	db := sqltest.Postgres(t)
	s := sqltest.Fixture(t, db)
	v := newVisit(s)
	if before != "" {
		v = addVisitFor(t, db, s, before)
	} else {
		v.ID = addVisit(t, db, v)
	}
	locked, waited := make(chan struct{}), make(chan error, 1)
	go func() {
		<-locked
		waited <- db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			got, err := tx.LockVisit(ctx, v.ID)
			if err == nil && (got.Phone != after || (got.ContactID != nil) != (after != "") || got.CustomerName != "changed") {
				t.Errorf("the second one sees %q, contact %v with phone %q", got.CustomerName, got.ContactID, got.Phone)
			}
			return err
		})
	}()
	do(t, db, func(ctx context.Context, tx domain.Tx) error {
		got, err := tx.LockVisit(ctx, v.ID)
		if err != nil {
			return err
		}
		close(locked)
		waitForLock(t, db)
		got.ContactID, got.CustomerName = nil, "changed"
		if after != "" {
			id, _, err := tx.ContactForPhone(ctx, domain.Contact{Phone: after, CreatedAt: at(0)})
			if err != nil {
				return err
			}
			got.ContactID = &id
		}
		return tx.SaveVisit(ctx, got)
	})
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestVisitLists(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		// A name that looks like a date must stay a name.
		dated := domain.Product{ProgrammeID: s.Programme.ID, Name: "2025-06-02", Price: 100, Active: true}
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			dated.ID, err = tx.AddProduct(ctx, dated)
			return err
		})
		ended := func(v domain.Visit, o domain.Outcome) domain.Visit {
			v.Outcome, v.EndedAt = o, ptr(at(time.Minute))
			return v
		}
		moscow, ural := newVisit(s), newVisit(s)
		ural.StoreID, ural.AdvisorID, ural.Day, ural.TouchedAt = s.Ural.ID, s.UralAdvisor.ID, "2025-06-03", at(time.Hour)
		bought := ended(newVisit(s), domain.Purchase)
		bought.ProductID, bought.Price = &dated.ID, 100
		left := ended(newVisit(s), domain.Left)
		left.AdvisorID = s.BothAdvisor.ID
		id := map[string]int64{}
		for _, v := range []struct {
			name string
			domain.Visit
		}{{"moscow", moscow}, {"ural", ural}, {"bought", bought}, {"left", left}} {
			id[v.name] = addVisit(t, db, v.Visit)
		}
		all := domain.VisitFilter{AllStores: true}
		with := func(change func(*domain.VisitFilter)) domain.VisitFilter {
			f := all
			change(&f)
			return f
		}
		for name, c := range map[string]struct {
			filter domain.VisitFilter
			want   []string
		}{
			"everything":         {all, []string{"left", "bought", "ural", "moscow"}},
			"nothing is allowed": {domain.VisitFilter{}, nil},
			"one store allowed":  {domain.VisitFilter{StoreIDs: []int64{s.Ural.ID}}, []string{"ural"}},
			"two stores allowed": {domain.VisitFilter{StoreIDs: []int64{s.Ural.ID, s.Moscow.ID}}, []string{"left", "bought", "ural", "moscow"}},
			"foreign store":      {domain.VisitFilter{StoreIDs: []int64{s.Ural.ID}, StoreID: s.Moscow.ID}, nil},
			"by store":           {with(func(f *domain.VisitFilter) { f.StoreID = s.Moscow.ID }), []string{"left", "bought", "moscow"}},
			"by day":             {with(func(f *domain.VisitFilter) { f.Day = "2025-06-03" }), []string{"ural"}},
			"by advisor":         {with(func(f *domain.VisitFilter) { f.AdvisorID = s.BothAdvisor.ID }), []string{"left"}},
			"by outcome":         {with(func(f *domain.VisitFilter) { f.Outcome = domain.Purchase }), []string{"bought"}},
			"only open":          {with(func(f *domain.VisitFilter) { f.OnlyOpen = true }), []string{"ural", "moscow"}},
			"second page":        {with(func(f *domain.VisitFilter) { f.Before, f.Limit = id["left"], 2 }), []string{"bought", "ural"}},
			"all at once": {domain.VisitFilter{
				StoreIDs: []int64{s.Moscow.ID, s.Ural.ID}, Day: "2025-06-02", StoreID: s.Moscow.ID, AdvisorID: s.MoscowAdvisor.ID,
				Outcome: domain.Purchase, Before: id["left"], Limit: 1,
			}, []string{"bought"}},
		} {
			var got, want []int64
			for _, row := range must(db.Visits(t.Context(), c.filter))(t) {
				got = append(got, row.ID)
			}
			for _, n := range c.want {
				want = append(want, id[n])
			}
			equal(t, name, got, want)
		}
		row := must(db.Visits(t.Context(), with(func(f *domain.VisitFilter) { f.Outcome = domain.Purchase })))(t)[0]
		bought.ID = row.ID
		equal(t, "row", row, domain.VisitRow{
			Visit: bought, StoreName: s.Moscow.Name, StoreTimeZone: s.Moscow.TimeZone, AdvisorName: s.MoscowAdvisor.Name, ProductName: dated.Name,
		})

		open := must(db.OpenVisits(t.Context(), s.MoscowAdvisor.ID, s.Moscow.ID))(t)
		moscow.ID = id["moscow"]
		equal(t, "open visits", open, []domain.Visit{moscow})
		equal(t, "stale visits", must(db.StaleVisits(t.Context(), at(time.Minute), 10))(t), []int64{id["moscow"]})
		equal(t, "stale visits, touched then", len(must(db.StaleVisits(t.Context(), at(0), 10))(t)), 0)
		equal(t, "one stale visit", len(must(db.StaleVisits(t.Context(), at(2*time.Hour), 1))(t)), 1)
	})
}

// Pages hang together although visits are added between them.
func TestVisitsKeyset(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		var want []int64
		for range 23 {
			want = append([]int64{addVisit(t, db, newVisit(s))}, want...)
		}
		var got []int64
		f := domain.VisitFilter{AllStores: true, Limit: 5}
		for {
			rows := must(db.Visits(t.Context(), f))(t)
			if len(rows) == 0 {
				break
			}
			for _, r := range rows {
				got = append(got, r.ID)
			}
			f.Before = rows[len(rows)-1].ID
			addVisit(t, db, newVisit(s)) // newer than the first page
		}
		equal(t, "pages", got, want)
	})
}
