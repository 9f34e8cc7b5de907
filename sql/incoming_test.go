package sql_test

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func incoming(id, from string, v domain.Visit) domain.IncomingMessage {
	m := domain.IncomingMessage{Gateway: "kannel", GatewayID: id, Phone: from, Body: "Когда подарок?", StoreID: v.StoreID, At: at(time.Hour)}
	if v.ContactID != nil {
		m.ContactID = *v.ContactID
	}
	return m
}

// hear records SMS and gives whether each is new.
func hear(t testing.TB, db *sql.DB, list ...domain.IncomingMessage) (out []bool) {
	t.Helper()
	do(t, db, func(ctx context.Context, tx domain.Tx) error {
		out = nil
		for _, m := range list {
			first, err := tx.AddIncoming(ctx, m)
			if err != nil {
				return err
			}
			out = append(out, first)
		}
		return nil
	})
	return out
}

func TestIncoming(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		v := addVisitFor(t, db, s, phone(1))
		ural := v
		ural.StoreID = s.Ural.ID
		stop := incoming("3", phone(1), v)
		stop.Word, stop.Body = domain.StopWord, "2025-06-02" // a text that looks like a date is a text
		other := incoming("1", "MTS", domain.Visit{})
		other.Gateway = "devino"
		equal(t, "what is new", hear(t, db, incoming("1", phone(1), v), incoming("1", phone(2), domain.Visit{}), other, stop, incoming("4", phone(1), ural)),
			[]bool{true, false, true, true, true})
		if !must(db.IncomingKnown(ctx, "kannel", "3"))(t) || must(db.IncomingKnown(ctx, "devino", "3"))(t) {
			t.Error("an SMS is known by its gateway and name together")
		}

		ids := func(f domain.IncomingFilter) (out []string) {
			t.Helper()
			for _, r := range must(db.IncomingRows(ctx, f))(t) {
				out = append(out, r.Gateway+" "+r.GatewayID)
			}
			return out
		}
		moscow := []int64{s.Moscow.ID}
		equal(t, "all", ids(domain.IncomingFilter{AllStores: true}), []string{"kannel 4", "kannel 3", "devino 1", "kannel 1"})
		equal(t, "of Moscow and of nobody", ids(domain.IncomingFilter{StoreIDs: moscow}), []string{"kannel 3", "devino 1", "kannel 1"})
		equal(t, "of nobody", ids(domain.IncomingFilter{}), []string{"devino 1"})
		equal(t, "unseen", ids(domain.IncomingFilter{StoreIDs: moscow, Unseen: true}), []string{"devino 1", "kannel 1"})
		rows := must(db.IncomingRows(ctx, domain.IncomingFilter{AllStores: true}))(t)
		equal(t, "older", ids(domain.IncomingFilter{AllStores: true, Before: rows[1].ID, Limit: 1}), []string{"devino 1"})
		want := stop
		want.ID = rows[1].ID
		equal(t, "row", rows[1], domain.IncomingRow{IncomingMessage: want, StoreName: s.Moscow.Name, StoreTimeZone: "Europe/Moscow", VisitID: v.ID})
		equal(t, "message", must(db.Incoming(ctx, want.ID))(t), want)
		if r := must(db.IncomingRows(ctx, domain.IncomingFilter{StoreIDs: []int64{s.Ural.ID}}))(t)[0]; r.GatewayID != "4" || r.VisitID != 0 {
			t.Errorf("the row of Yekaterinburg leads to a visit in Moscow: %+v", r)
		}

		// The first who has read it stays on record.
		for _, c := range []struct {
			staff int64
			at    time.Time
			first bool
		}{{s.Supervisor.ID, at(2 * time.Hour), true}, {s.Administrator.ID, at(3 * time.Hour), false}} {
			do(t, db, func(ctx context.Context, tx domain.Tx) error {
				first, err := tx.SeeIncoming(ctx, rows[2].ID, c.staff, c.at)
				if first != c.first {
					t.Errorf("read first by %d: %t", c.staff, first)
				}
				return err
			})
		}
		seen := must(db.IncomingRows(ctx, domain.IncomingFilter{AllStores: true}))(t)[2]
		if seen.SeenBy != s.Supervisor.ID || seen.SeenByName != "Галина" || !seen.SeenAt.Equal(at(2*time.Hour)) || seen.Waits() {
			t.Errorf("seen: %+v", seen)
		}
		equal(t, "unseen then", ids(domain.IncomingFilter{StoreIDs: moscow, Unseen: true}), []string{"kannel 1"})
		_, err := db.Incoming(ctx, 999)
		isKind(t, err, domain.NotFound)
		_, err = db.ContactByPhone(ctx, phone(77))
		isKind(t, err, domain.NotFound)
		if id := must(db.ContactByPhone(ctx, phone(1)))(t); id != *v.ContactID || must(db.LastVisit(ctx, id))(t).ID != v.ID {
			t.Errorf("the contact of the phone is %d", id)
		}
	})
}

// A contact that nothing else refers to is forgotten, and what they wrote stays
// without them. One who took a consent back by SMS is kept: it holds for later.
func TestDropContactWhoWrote(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		leaves := func(n int) domain.Visit {
			t.Helper()
			v := addVisitFor(t, db, s, phone(n))
			hear(t, db, incoming(phone(n), phone(n), v))
			return v
		}
		drop := func(v domain.Visit) (gone bool) {
			t.Helper()
			id := *v.ContactID
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				v.ContactID = nil
				if err := tx.SaveVisit(ctx, v); err != nil {
					return err
				}
				gone, err = tx.DropContactIfUnused(ctx, id)
				return err
			})
			return gone
		}
		asked, stopped, used := leaves(1), leaves(2), leaves(3)
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			return tx.AddContactEvent(ctx, domain.ContactEvent{ContactID: *stopped.ContactID, Kind: domain.ContactStopped, Source: domain.FromSMS, At: at(0)})
		})
		addVisitFor(t, db, s, phone(3))
		if !drop(asked) || drop(stopped) || drop(used) {
			t.Error("the wrong contacts are forgotten")
		}
		rows := must(db.IncomingRows(ctx, domain.IncomingFilter{AllStores: true}))(t)
		for i, want := range []string{phone(3), phone(2), ""} {
			if rows[i].Phone != want || (rows[i].ContactID == 0) != (want == "") || rows[i].Body == "" {
				t.Errorf("%d: %+v", i, rows[i])
			}
		}
	})
}

func TestMessageRows(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		v := addVisitFor(t, db, s, phone(2))
		first := message(p, v, domain.ReferralMessage)
		second := message(p, v, domain.TrialMessage)
		second.StoreID, second.DueAt = s.Ural.ID, at(48*time.Hour)
		third := message(p, v, domain.CodeMessage)
		third.Channel, third.PromoCodeID, third.State = domain.CodeChannel, 0, domain.MessageAccepted
		third.SendingAt, third.AcceptedAt = ptr(at(0)), ptr(at(0))
		fourth := domain.Message{
			Channel: domain.ServiceChannel, Kind: domain.StoppedMessage, ProgrammeID: v.ProgrammeID, ContactID: *v.ContactID, Phone: v.Phone,
			Language: "ru", State: domain.MessageScheduled, DueAt: at(24 * time.Hour), CreatedAt: at(0),
		}
		all := []*domain.Message{&first, &second, &third, &fourth}
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			for _, m := range all {
				if m.ID, err = tx.AddMessage(ctx, *m); err != nil {
					return err
				}
			}
			return nil
		})
		day := func(zone string, stores ...int64) domain.Span {
			loc := must(time.LoadLocation(zone))(t)
			from := time.Date(2025, 6, 3, 0, 0, 0, 0, loc)
			return domain.Span{StoreIDs: stores, From: from.UTC(), Until: from.AddDate(0, 0, 1).UTC()}
		}
		moscow, both := []int64{s.Moscow.ID}, []int64{s.Moscow.ID, s.Ural.ID}
		spans := []domain.Span{day("Europe/Moscow", s.Moscow.ID), day("Asia/Yekaterinburg", s.Ural.ID)}
		spans[0].NoStore = true
		for name, c := range map[string]struct {
			f    domain.MessageFilter
			want []*domain.Message
		}{
			"all":             {domain.MessageFilter{AllStores: true}, []*domain.Message{&fourth, &third, &second, &first}},
			"of two stores":   {domain.MessageFilter{StoreIDs: both}, []*domain.Message{&third, &second, &first}},
			"of one":          {domain.MessageFilter{StoreIDs: moscow}, []*domain.Message{&third, &first}},
			"of none":         {domain.MessageFilter{}, nil},
			"a foreign store": {domain.MessageFilter{StoreIDs: moscow, StoreID: s.Ural.ID}, nil},
			"a store":         {domain.MessageFilter{AllStores: true, StoreID: s.Ural.ID}, []*domain.Message{&second}},
			"a channel":       {domain.MessageFilter{AllStores: true, Channel: domain.ServiceChannel}, []*domain.Message{&fourth}},
			"a kind":          {domain.MessageFilter{AllStores: true, Kind: domain.ReferralMessage}, []*domain.Message{&first}},
			"a state":         {domain.MessageFilter{AllStores: true, State: domain.MessageAccepted}, []*domain.Message{&third}},
			"a day":           {domain.MessageFilter{AllStores: true, Day: "2025-06-03", Spans: spans}, []*domain.Message{&fourth, &third, &first}},
			"a day of one":    {domain.MessageFilter{StoreIDs: moscow, Day: "2025-06-03", Spans: spans[:1]}, []*domain.Message{&third, &first}},
			"a day of none":   {domain.MessageFilter{AllStores: true, Day: "2025-06-03"}, nil},
			"older, one":      {domain.MessageFilter{AllStores: true, Before: third.ID, Limit: 1}, []*domain.Message{&second}},
		} {
			var want []domain.Message
			for _, m := range c.want {
				want = append(want, *m)
			}
			var got []domain.Message
			for _, r := range must(db.MessageRows(ctx, c.f))(t) {
				got = append(got, r.Message)
			}
			equal(t, name, got, want)
		}
		equal(t, "row", must(db.MessageRow(ctx, second.ID))(t), domain.MessageRow{Message: second, StoreName: s.Ural.Name, StoreTimeZone: "Asia/Yekaterinburg"})
		equal(t, "row of no store", must(db.MessageRow(ctx, fourth.ID))(t), domain.MessageRow{Message: fourth})
		_, err := db.MessageRow(ctx, 999)
		isKind(t, err, domain.NotFound)
	})
}
