package sql_test

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func TestContactRoundTrip(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		want := domain.Contact{Phone: phone(1), Name: "Иван", Language: "ru", CreatedAt: at(0)}
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			var created bool
			if want.ID, created, err = tx.ContactForPhone(ctx, want); err != nil || !created {
				t.Errorf("first: created %t, %v", created, err)
			}
			again := want
			again.Name = "Пётр"
			id, created, err := tx.ContactForPhone(ctx, again)
			if id != want.ID || created {
				t.Errorf("again: id %d, created %t", id, created)
			}
			return err
		})
		equal(t, "contact", must(db.Contact(ctx, want.ID))(t), want)

		want.Name, want.Language, want.VerifiedAt = "Пётр", "en", ptr(at(time.Minute))
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.SaveContact(ctx, want) })
		equal(t, "saved contact", must(db.Contact(ctx, want.ID))(t), want)

		for _, bad := range []string{"", "79161234567", "+7 916 123-45-67", "+7916123456a", "+", "+1234567890123456"} {
			err := db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
				_, _, err := tx.ContactForPhone(ctx, domain.Contact{Phone: bad, CreatedAt: at(0)})
				return err
			})
			if err == nil {
				t.Errorf("the phone %q was taken", bad)
			}
		}

		v := addVisitFor(t, db, s, phone(2))
		set := func(answers ...domain.Answer) {
			t.Helper()
			do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.SetAnswers(ctx, v.ID, answers) })
			equal(t, "answers", must(db.Answers(ctx, v.ID))(t), answers)
		}
		set(domain.Answer{QuestionID: s.Questions[0].ID, Value: "friend"}, domain.Answer{QuestionID: s.Questions[1].ID, Value: "2025-01-01"})
		set(domain.Answer{QuestionID: s.Questions[1].ID, Value: "ничего"})
		set()
	})
}

func TestDropContactIfUnused(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		drop := func(id int64) (dropped bool) {
			t.Helper()
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				dropped, err = tx.DropContactIfUnused(ctx, id)
				return err
			})
			return dropped
		}
		// Each use alone keeps the contact.
		for use, add := range map[string]func(ctx context.Context, tx domain.Tx, v domain.Visit, id int64) error{
			"visit": func(ctx context.Context, tx domain.Tx, v domain.Visit, id int64) error {
				v.ContactID = &id
				return tx.SaveVisit(ctx, v)
			},
			"consent": func(ctx context.Context, tx domain.Tx, v domain.Visit, id int64) error {
				_, err := tx.AddConsent(ctx, domain.Consent{
					Source:  domain.FromVisit,
					VisitID: v.ID, ContactID: &id, StoreID: v.StoreID, StaffID: v.AdvisorID, DocumentID: s.Documents["ru"][0].ID, At: at(0),
				})
				return err
			},
			"verification": func(ctx context.Context, tx domain.Tx, v domain.Visit, id int64) error {
				_, err := tx.AddVerification(ctx, domain.Verification{
					ChallengeID: "c", VisitID: v.ID, ContactID: id, StoreID: v.StoreID, StaffID: v.AdvisorID, At: at(0),
				})
				return err
			},
			"code": func(ctx context.Context, tx domain.Tx, v domain.Visit, id int64) error {
				v.ContactID = &id
				_, _, err := tx.AddPromoCode(ctx, referral(v, "0000000001"))
				return err
			},
			"redemption": func(ctx context.Context, tx domain.Tx, v domain.Visit, id int64) error {
				owner, err := visitFor(ctx, tx, s, phone(9))
				if err != nil {
					return err
				}
				p := referral(owner, "0000000002")
				if p.ID, _, err = tx.AddPromoCode(ctx, p); err != nil {
					return err
				}
				v.ContactID, v.Phone = &id, phone(1)
				_, _, err = tx.Hold(ctx, hold(p, v, at(0)))
				return err
			},
			"message": func(ctx context.Context, tx domain.Tx, v domain.Visit, id int64) error {
				_, err := tx.AddMessage(ctx, domain.Message{
					Channel: domain.ServiceChannel, Kind: "note", ProgrammeID: v.ProgrammeID, ContactID: id, VisitID: v.ID, StoreID: v.StoreID,
					State: domain.MessageScheduled, DueAt: at(0), CreatedAt: at(0),
				})
				return err
			},
			"wish": func(ctx context.Context, tx domain.Tx, _ domain.Visit, id int64) error {
				return tx.AddContactEvent(ctx, domain.ContactEvent{ContactID: id, Kind: domain.ContactStopped, Source: domain.FromStaff, At: at(0)})
			},
		} {
			var id int64
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				v := newVisit(s)
				if v.ID, _, err = tx.AddVisit(ctx, v); err != nil {
					return err
				}
				if id, _, err = tx.ContactForPhone(ctx, domain.Contact{Phone: phone(int(100 + serial.Add(1))), CreatedAt: at(0)}); err != nil {
					return err
				}
				return add(ctx, tx, v, id)
			})
			if drop(id) {
				t.Errorf("a contact with a %s was deleted", use)
			}
		}
		var id int64
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			id, _, err = tx.ContactForPhone(ctx, domain.Contact{Phone: phone(5), CreatedAt: at(0)})
			return err
		})
		if !drop(id) || drop(id) {
			t.Error("an unused contact is not deleted, or twice")
		}
	})
}

// One person per phone, however many advisors register it at once.
func TestContactForPhoneAtOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ids, errs := make([]int64, 32), make([]error, 32)
		together(len(ids), func(i int) {
			errs[i] = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
				ids[i], _, err = tx.ContactForPhone(ctx, domain.Contact{Phone: phone(1), Name: phone(i), CreatedAt: at(0)})
				return err
			})
		})
		for i := range ids {
			if errs[i] != nil || ids[i] != ids[0] || ids[i] == 0 {
				t.Errorf("caller %d: id %d, %v", i, ids[i], errs[i])
			}
		}
		if n := count(t, db, `SELECT count(*) FROM contacts`); n != 1 {
			t.Errorf("%d contacts", n)
		}
	})
}

// Visits that take up and let go of the same contacts at once leave none
// behind that nobody refers to, and never refer to one that is gone.
func TestContactsComeAndGo(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		together(16, func(i int) {
			for round := range 10 {
				var v domain.Visit
				err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
					v, err = visitFor(ctx, tx, s, phone((i+round)%2))
					return err
				})
				if err != nil {
					t.Errorf("take up: %v", err)
					return
				}
				err = db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
					v, err := tx.LockVisit(ctx, v.ID)
					if err != nil {
						return err
					}
					id := *v.ContactID
					v.ContactID, v.CustomerName = nil, ""
					if err := tx.SaveVisit(ctx, v); err != nil {
						return err
					}
					_, err = tx.DropContactIfUnused(ctx, id)
					return err
				})
				if err != nil {
					t.Errorf("let go: %v", err)
					return
				}
			}
		})
		if n := count(t, db, `SELECT count(*) FROM contacts`); n != 0 {
			t.Errorf("%d contacts were left behind", n)
		}
	})
}

// Whoever waits for the lock sees the contact as the one before left it, and
// none where it was deleted.
func TestLockContactSeesTheLatest(t *testing.T) {
	db := sqltest.Postgres(t)
	s := sqltest.Fixture(t, db)
	for n, gone := range []bool{false, true} {
		v := addVisitFor(t, db, s, phone(n))
		id := *v.ContactID
		locked, waited := make(chan struct{}), make(chan error, 1)
		go func() {
			<-locked
			waited <- db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				c, err := tx.LockContact(ctx, id)
				if err == nil && c.Name != "changed" {
					t.Errorf("the second one sees %+v", c)
				}
				return err
			})
		}()
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			c, err := tx.LockContact(ctx, id)
			if err != nil {
				return err
			}
			close(locked)
			waitForLock(t, db)
			if c.Name = "changed"; !gone {
				return tx.SaveContact(ctx, c)
			}
			v.ContactID, v.CustomerName = nil, ""
			if err := tx.SaveVisit(ctx, v); err != nil {
				return err
			}
			_, err = tx.DropContactIfUnused(ctx, id)
			return err
		})
		if err := <-waited; domain.IsNotFound(err) != gone || !gone && err != nil {
			t.Errorf("deleted %v: %v", gone, err)
		}
	}
}
