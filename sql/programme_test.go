package sql_test

import (
	"context"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// The fixture holds what was given; here it is read back.
func TestProgrammeRoundTrip(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		if n := must(db.StaffCount(ctx))(t); n != 0 {
			t.Errorf("%d members of staff in an empty database", n)
		}
		s := sqltest.Fixture(t, db)

		equal(t, "programme", must(db.Programme(ctx, s.Programme.ID))(t), s.Programme)
		equal(t, "products", must(db.Products(ctx, s.Programme.ID))(t), s.Products)
		equal(t, "product", must(db.Product(ctx, s.Products[1].ID))(t), s.Products[1])
		equal(t, "questions", must(db.Questions(ctx, s.Programme.ID))(t), s.Questions)
		equal(t, "stores", must(db.Stores(ctx))(t), []domain.Store{s.Moscow, s.Ural})
		equal(t, "store", must(db.Store(ctx, s.Ural.ID))(t), s.Ural)

		// What is switched off and what belongs to another programme is not on
		// the list; a product stays readable, for old visits show it.
		other := s.Programme
		other.Name = "Другая"
		off := domain.Product{ProgrammeID: s.Programme.ID, Name: "Снято", Price: 1}
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			if other.ID, err = tx.AddProgramme(ctx, other); err != nil {
				return err
			}
			if off.ID, err = tx.AddProduct(ctx, off); err != nil {
				return err
			}
			_, err = tx.AddQuestion(ctx, domain.Question{ProgrammeID: s.Programme.ID})
			return err
		})
		equal(t, "products with one switched off", must(db.Products(ctx, s.Programme.ID))(t), s.Products)
		equal(t, "product switched off", must(db.Product(ctx, off.ID))(t), off)
		equal(t, "questions with one switched off", must(db.Questions(ctx, s.Programme.ID))(t), s.Questions)
		if got := must(db.Products(ctx, other.ID))(t); len(got) != 0 {
			t.Errorf("products of the other programme: %+v", got)
		}

		if n := must(db.StaffCount(ctx))(t); n != 5 {
			t.Errorf("%d members of staff, want 5", n)
		}
		for _, want := range []domain.Staff{s.MoscowAdvisor, s.UralAdvisor, s.BothAdvisor, s.Supervisor, s.Administrator} {
			equal(t, want.Login, must(db.StaffByLogin(ctx, want.Login))(t), want)
			equal(t, want.Login, must(db.StaffByID(ctx, want.ID))(t), want)
		}
		if ok, err := argon2id.ComparePasswordAndHash(sqltest.Password, s.Supervisor.PasswordHash); !ok || err != nil {
			t.Errorf("nobody can sign in with the fixture's password: %v", err)
		}
		_, err := db.StaffByLogin(ctx, "nobody")
		isKind(t, err, domain.NotFound)

		names := func(storeIDs []int64, all bool) (out []string) {
			for _, a := range must(db.Advisors(ctx, storeIDs, all))(t) {
				out = append(out, a.Login)
			}
			return out
		}
		equal(t, "advisors of Moscow", names([]int64{s.Moscow.ID}, false), []string{"moscow", "both"})
		equal(t, "advisors of two stores", names([]int64{s.Moscow.ID, s.Ural.ID}, false), []string{"moscow", "ural", "both"})
		equal(t, "all advisors", names(nil, true), []string{"moscow", "ural", "both"})
		if got := names(nil, false); got != nil {
			t.Errorf("advisors of no store: %v", got)
		}
	})
}

func TestConsentRoundTrip(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		equal(t, "documents", must(db.CurrentConsentDocuments(ctx, s.Programme.ID, "ru"))(t), s.Documents["ru"])
		if got := must(db.CurrentConsentDocuments(ctx, s.Programme.ID, "de"))(t); len(got) != 0 {
			t.Errorf("documents in German: %+v", got)
		}
		// A new version of one text, in one language.
		second := s.Documents["ru"][0]
		second.Version, second.Body = 2, "Новый текст."
		second.Hash = domain.HashConsent(second.Title, second.Body)
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			second.ID, err = tx.AddConsentDocument(ctx, second)
			return err
		})
		equal(t, "new documents", must(db.CurrentConsentDocuments(ctx, s.Programme.ID, "ru"))(t),
			[]domain.ConsentDocument{second, s.Documents["ru"][1]})
		equal(t, "English documents", must(db.CurrentConsentDocuments(ctx, s.Programme.ID, "en"))(t), s.Documents["en"])
		err := db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
			_, err := tx.AddConsentDocument(ctx, second)
			return err
		})
		isKind(t, err, domain.Conflict)

		v := addVisitFor(t, db, s, phone(1))
		add := func(d domain.ConsentDocument, given bool, after time.Duration) (c domain.Consent) {
			c = domain.Consent{
				Source: domain.FromVisit, VisitID: v.ID, StoreID: v.StoreID, StaffID: v.AdvisorID, DocumentID: d.ID, Document: d,
				Hash: d.Hash, Given: given, At: at(after),
			}
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				c.ID, err = tx.AddConsent(ctx, c)
				return err
			})
			return c
		}
		personal, messages := s.Documents["ru"][0], s.Documents["ru"][1]
		consents := []domain.Consent{
			add(personal, true, 0), add(messages, true, 0), // first answer
			add(messages, false, time.Minute), add(second, true, time.Minute), // changed their mind
		}
		equal(t, "anonymous consents", must(db.VisitConsents(ctx, v.ID))(t), consents)

		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			if err := tx.LinkConsents(ctx, v.ID, *v.ContactID); err != nil {
				return err
			}
			return tx.ConfirmConsents(ctx, v.ID, "challenge")
		})
		for i := range consents {
			consents[i].ContactID = v.ContactID
		}
		// Of four answers two stand, and one of these was given.
		consents[3].ChallengeID = ptr("challenge")
		equal(t, "linked and confirmed", must(db.VisitConsents(ctx, v.ID))(t), consents)
		equal(t, "while the phone is not verified, nothing counts", must(db.ContactConsents(ctx, *v.ContactID))(t),
			map[domain.ConsentKind]bool{})
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			v, err := tx.LockVisit(ctx, v.ID)
			if err != nil {
				return err
			}
			v.VerifiedAt = ptr(at(0))
			return tx.SaveVisit(ctx, v)
		})
		equal(t, "as it stands", must(db.ContactConsents(ctx, *v.ContactID))(t),
			map[domain.ConsentKind]bool{domain.PersonalData: true, domain.Communications: false})
		refused := must(db.StandingRefusals(ctx, v.ID))(t)
		equal(t, "refused", refused, []int64{consents[2].ID})

		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.UnlinkContact(ctx, v.ID) })
		for i := range consents {
			consents[i].ContactID, consents[i].ChallengeID = nil, nil
		}
		equal(t, "unlinked", must(db.VisitConsents(ctx, v.ID))(t), consents)
		if got := must(db.ContactConsents(ctx, *v.ContactID))(t); len(got) != 0 {
			t.Errorf("consents of an unlinked contact: %v", got)
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.LinkWithdrawal(ctx, *v.ContactID, refused) })
		equal(t, "the no is put on their record", must(db.ContactConsents(ctx, *v.ContactID))(t),
			map[domain.ConsentKind]bool{domain.Communications: false})
	})
}
