package sql_test

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// waitForLockOr is waitForLock that ends with whoever might have waited.
func waitForLockOr(t testing.TB, db *sql.DB, ended <-chan error) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		select {
		case <-tick.C:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody waits, and nobody is done")
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}

// A delivery report and the end of its recipient meet: whoever is first, what
// the gateway tells of the phone is not on record afterwards.
func TestReportAgainstAnErasure(t *testing.T) {
	db := sqltest.Postgres(t)
	s := sqltest.Fixture(t, db)
	n := 0
	type sent struct {
		domain.Message
		contact domain.Contact
	}
	// A code that was given away and not yet recorded: the row is empty.
	given := func() (m sent) {
		t.Helper()
		n++
		v := addVisitFor(t, db, s, phone(n))
		m.contact = must(db.Contact(t.Context(), *v.ContactID))(t)
		m.Message = message(domain.PromoCode{}, v, domain.CodeMessage)
		m.Channel, m.State, m.SendingAt = domain.CodeChannel, domain.MessageSending, ptr(at(0))
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			m.ID, err = tx.AddMessage(ctx, m.Message)
			return err
		})
		return m
	}
	reports := func(ctx context.Context, tx domain.Tx, m sent) error {
		now, err := tx.LockMessage(ctx, m.ID)
		if err != nil {
			return err
		}
		now.State, now.AcceptedAt = domain.MessageAccepted, ptr(at(0))
		row := domain.DeliveryRow{MessageID: m.ID, Gateway: "gw", ReportKey: "k", State: domain.MessageAccepted, Status: "1", At: at(0)}
		if now.Phone != "" && !domain.ErasedPhone(now.Phone) { // as domain.TakeReport does
			now.GatewayID, row.Detail = now.Phone, now.Phone
		}
		if _, err := tx.AddDeliveryReport(ctx, row); err != nil {
			return err
		}
		return tx.SaveDelivery(ctx, now)
	}
	for what, ends := range map[string]func(ctx context.Context, tx domain.Tx, m sent) error{
		"erased": func(ctx context.Context, tx domain.Tx, m sent) error {
			return tx.EraseContact(ctx, m.contact, "key", "+00000000000"+m.contact.Phone[len(m.contact.Phone)-2:], at(0))
		},
		"let go": func(ctx context.Context, tx domain.Tx, m sent) error { return tx.UnlinkContact(ctx, m.VisitID) },
	} {
		for _, reportFirst := range []bool{true, false} {
			m := given()
			first, second := ends, reports
			if reportFirst {
				first, second = reports, ends
			}
			holds, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
					err := first(ctx, tx, m)
					close(holds)
					<-goOn
					return err
				})
			}()
			<-holds
			waits := make(chan error, 1)
			go func() {
				err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error { return second(ctx, tx, m) })
				waits <- err
				close(waits)
			}()
			waitForLockOr(t, db, waits)
			close(goOn)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if err := <-waits; err != nil {
				t.Fatal(err)
			}
			if k := count(t, db, `SELECT count(*) FROM messages m LEFT JOIN delivery_reports d ON d.message_id = m.id
					WHERE m.id = $1 AND (m.gateway_id <> '' OR d.detail <> '')`, m.ID); k > 0 {
				t.Errorf("%s, the report first: %t: the phone is on record", what, reportFirst)
			}
		}
	}
}
