package sqltest

import (
	"context"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
)

// Password is the password of every member of staff in a Set.
const Password = "counter-2025"

// Start is when everything in a Set was made: a Monday, noon in Moscow.
var Start = time.Date(2025, 6, 2, 9, 0, 0, 0, time.UTC)

// Set is a small programme with its stores and staff.
type Set struct {
	Programme domain.Programme
	Moscow    domain.Store // Europe/Moscow, UTC+3
	Ural      domain.Store // Asia/Yekaterinburg, UTC+5

	MoscowAdvisor domain.Staff // login moscow
	UralAdvisor   domain.Staff // login ural
	BothAdvisor   domain.Staff // login both, of both stores
	Supervisor    domain.Staff // login supervisor, of both stores
	Administrator domain.Staff // login administrator

	Products  []domain.Product                    // by position
	Questions []domain.Question                   // by position: one with options, one with free text
	Documents map[string][]domain.ConsentDocument // by language, personal data first
}

// Actor is a member of staff who has chosen a store.
func (Set) Actor(s domain.Staff, store domain.Store) domain.Actor {
	return domain.Actor{Staff: s, StoreID: store.ID}
}

// passwordHash is Argon2id of Password at the least cost (m=64, t=1, p=1):
// tests sign in often, and nobody attacks them.
const passwordHash = "$argon2id$v=19$m=64,t=1,p=1$t61ehJBt6xi3idgkW41Fpw$dgHHFsqWETRLNAeQckDakA"

// Fixture inserts a Set and returns it as the database has it.
func Fixture(t testing.TB, db *sql.DB) Set {
	t.Helper()
	s := Set{
		Programme: domain.Programme{
			Name: "Прилавок", Brand: "Тест", Active: true, DiscountsOn: true,
			FriendDiscount: domain.Discount{Percent: 15}, TrialDiscount: domain.Discount{Kopecks: 500_00},
			ReferralUses: 3, ReferralDays: 90, TrialDays: 30,
			GiftFriends: 3, GiftTitle: domain.Localised{"ru": "чехол", "en": "a case"}, CreatedAt: Start,
		},
		Documents: map[string][]domain.ConsentDocument{},
	}
	err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
		f := filler{ctx: ctx, tx: tx}
		s.Programme.ID = f.id(tx.AddProgramme(ctx, s.Programme))
		f.stores(&s)
		f.staff(&s)
		f.lists(&s)
		f.documents(&s)
		return f.err
	})
	if err != nil {
		t.Fatalf("insert the fixture: %v", err)
	}
	return s
}

// filler keeps the first error, so that the fixture reads as a list.
type filler struct {
	ctx context.Context
	tx  domain.Tx
	err error
}

func (f *filler) id(id int64, err error) int64 {
	if f.err == nil {
		f.err = err
	}
	return id
}

func (f *filler) stores(s *Set) {
	s.Moscow = domain.Store{Name: "Арбат", City: "Москва", Address: "Арбат, 1", TimeZone: "Europe/Moscow"}
	s.Ural = domain.Store{Name: "Гринвич", City: "Екатеринбург", Address: "8 Марта, 46", TimeZone: "Asia/Yekaterinburg"}
	for _, st := range []*domain.Store{&s.Moscow, &s.Ural} {
		st.ProgrammeID, st.Active = s.Programme.ID, true
		st.ID = f.id(f.tx.AddStore(f.ctx, *st))
	}
}

func (f *filler) staff(s *Set) {
	both := []domain.Store{s.Moscow, s.Ural}
	for _, m := range []struct {
		into *domain.Staff
		domain.Staff
	}{
		{&s.MoscowAdvisor, domain.Staff{Login: "moscow", Name: "Анна", Role: domain.Advisor, Stores: both[:1]}},
		{&s.UralAdvisor, domain.Staff{Login: "ural", Name: "Борис", Role: domain.Advisor, Stores: both[1:]}},
		{&s.BothAdvisor, domain.Staff{Login: "both", Name: "Вера", Role: domain.Advisor, Stores: both}},
		{&s.Supervisor, domain.Staff{Login: "supervisor", Name: "Галина", Role: domain.Supervisor, Stores: both}},
		{&s.Administrator, domain.Staff{Login: "administrator", Name: "Дмитрий", Role: domain.Administrator}},
	} {
		m.Language, m.PasswordHash, m.Active, m.CreatedAt = "ru", passwordHash, true, Start
		m.ID = f.id(f.tx.AddStaff(f.ctx, m.Staff))
		*m.into = m.Staff
	}
}

func (f *filler) lists(s *Set) {
	for i, p := range []domain.Product{{Name: "Стартовый набор", Price: 2990_00}, {Name: "Устройство", Price: 1990_50}, {Name: "Чехол", Price: 490_00}} {
		p.ProgrammeID, p.Active, p.Position = s.Programme.ID, true, i+1
		p.ID = f.id(f.tx.AddProduct(f.ctx, p))
		s.Products = append(s.Products, p)
	}
	for i, q := range []domain.Question{
		{
			Title: domain.Localised{"ru": "Откуда вы о нас узнали?", "en": "How did you hear about us?"},
			Options: []domain.Option{
				{Value: "friend", Title: domain.Localised{"ru": "От друга", "en": "From a friend"}},
				{Value: "mall", Title: domain.Localised{"ru": "Увидел в магазине", "en": "Saw it in the mall"}},
			},
		},
		{Title: domain.Localised{"ru": "Чем вы пользуетесь сейчас?", "en": "What do you use now?"}, Options: []domain.Option{}},
	} {
		q.ProgrammeID, q.Active, q.Position = s.Programme.ID, true, i+1
		q.ID = f.id(f.tx.AddQuestion(f.ctx, q))
		s.Questions = append(s.Questions, q)
	}
}

func (f *filler) documents(s *Set) {
	for _, d := range []domain.ConsentDocument{
		{Kind: domain.PersonalData, Language: "ru", Title: "Согласие на обработку персональных данных", Body: "Я согласен на обработку моих данных."},
		{Kind: domain.Communications, Language: "ru", Title: "Согласие на получение сообщений", Body: "Я согласен получать сообщения."},
		{Kind: domain.PersonalData, Language: "en", Title: "Consent to personal data processing", Body: "I agree to the processing of my data."},
		{Kind: domain.Communications, Language: "en", Title: "Consent to receive messages", Body: "I agree to receive messages."},
	} {
		d.ProgrammeID, d.Version, d.PublishedAt = s.Programme.ID, 1, Start
		d.Hash = domain.HashConsent(d.Title, d.Body)
		d.ID = f.id(f.tx.AddConsentDocument(f.ctx, d))
		s.Documents[d.Language] = append(s.Documents[d.Language], d)
	}
}

// AddAttempt puts a send or a check on record that has its verdict already.
func AddAttempt(ctx context.Context, tx domain.Tx, a domain.CodeAttempt) error {
	_, err := tx.AskAttempt(ctx, a)
	return err
}
