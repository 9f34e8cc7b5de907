package sql_test

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// What a customer's page is made of is theirs alone: two people whose rows lie
// side by side, one a friend of the other, and neither is in the other's.
func TestCustomer(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		// A stranger wrote first, and became a customer afterwards.
		hear(t, db, incoming("1", phone(1), domain.Visit{}), incoming("2", phone(2), domain.Visit{}))
		p := addReferral(t, db, s, phone(1), "0000000001")
		owner := p.OwnerID
		v := addVisitFor(t, db, s, phone(2))
		friend := *v.ContactID
		confirmed(t, db, p, v)
		known := incoming("3", phone(1), domain.Visit{ContactID: &owner, StoreID: s.Moscow.ID})
		known.Body = "А код?"
		hear(t, db, known)
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for id, token := range map[int64]string{owner: "owner", friend: "friend"} {
				if err := tx.DrawPageToken(ctx, id, token); err != nil {
					return err
				}
			}
			for _, c := range []domain.Consent{
				{Source: domain.FromVisit, VisitID: v.ID, ContactID: &friend, StoreID: s.Ural.ID, StaffID: s.BothAdvisor.ID, DocumentID: s.Documents["ru"][0].ID, Hash: "h", Given: true, At: at(0)},
				{Source: domain.FromPage, ContactID: &owner, DocumentID: s.Documents["ru"][1].ID, Hash: "h", At: at(time.Hour)},
			} {
				if _, err := tx.AddConsent(ctx, c); err != nil {
					return err
				}
			}
			return tx.AddContactEvent(ctx, domain.ContactEvent{ContactID: owner, Kind: domain.ContactStopped, Source: domain.FromPage, At: at(time.Hour)})
		})

		for token, id := range map[string]int64{"owner": owner, "friend": friend} {
			equal(t, "the page of the "+token, must(db.ContactByToken(ctx, token))(t).ID, id)
		}
		for _, token := range []string{"", "nobody", "OWNER"} {
			_, err := db.ContactByToken(ctx, token)
			isKind(t, err, domain.NotFound)
		}

		codes := must(db.CustomerCodes(ctx, owner))(t)
		if len(codes) != 1 || codes[0].Code != p.Code || codes[0].Friends != 1 || !codes[0].On || codes[0].Zone != "Europe/Moscow" || codes[0].Brand != s.Programme.Brand {
			t.Errorf("the owner's codes: %+v", codes)
		}
		equal(t, "the friend's codes", len(must(db.CustomerCodes(ctx, friend))(t)), 0)

		var sms []string
		for _, m := range must(db.CustomerSMS(ctx, owner))(t) {
			sms = append(sms, m.Body)
		}
		equal(t, "the owner's SMS", sms, []string{"Когда подарок?", "А код?"})
		equal(t, "the friend's SMS", len(must(db.CustomerSMS(ctx, friend))(t)), 1)

		given := must(db.CustomerConsents(ctx, friend))(t)
		if len(given) != 1 || given[0].StoreName != s.Ural.Name || given[0].Counts {
			t.Errorf("the friend's consents: %+v", given) // the phone has not answered
		}
		taken := must(db.CustomerConsents(ctx, owner))(t)
		if len(taken) != 1 || taken[0].StoreName != "" || !taken[0].Counts || taken[0].Given {
			t.Errorf("the owner's consents: %+v", taken)
		}

		for id, visit := range map[int64]int64{owner: p.SourceVisitID, friend: v.ID} {
			visits := must(db.CustomerVisits(ctx, id))(t)
			if len(visits) != 1 || visits[0].ID != visit {
				t.Errorf("the visits of %d: %+v", id, visits)
			}
		}
		equal(t, "the owner's requests", len(must(db.ContactEvents(ctx, owner))(t)), 1)
		equal(t, "the friend's requests", len(must(db.ContactEvents(ctx, friend))(t)), 0)
	})
}
