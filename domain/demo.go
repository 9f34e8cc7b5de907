package domain

import "context"

// DemoLogin is one demo member of staff, to be told once.
type DemoLogin struct {
	Login, Password, Name string
	Role                  Role
	Stores                []string
}

// Demo is what a newcomer needs to try the program.
type Demo struct {
	Logins    []DemoLogin
	PromoCode string // a friend's code that can be used right away
}

// DemoRequestID marks the demo's own visit; no form ever sends it.
const DemoRequestID = "demo"

// MakeDemo fills an empty database: two stores in different time zones, their
// staff, a programme with a price list and consent texts, and one customer of
// yesterday whose code three friends may use. password is asked for each
// login.
func (s *Service) MakeDemo(ctx context.Context, password func() string) (Demo, error) {
	var demo Demo
	// Hashing is slow on purpose and must not hold the write lock.
	staff := demoStaff()
	hashes := make([]string, len(staff))
	for i := range staff {
		staff[i].Password = password()
		if i > 0 && staff[i].Password == staff[i-1].Password {
			hashes[i] = hashes[i-1]
			continue
		}
		var err error
		if hashes[i], err = HashPassword(staff[i].Password); err != nil {
			return demo, err
		}
	}
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		demo = Demo{Logins: staff}
		n, err := tx.StaffCount(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			// Another instance was first, and has told its logins.
			demo = Demo{}
			return nil
		}
		stores, err := s.demoProgramme(ctx, tx)
		if err != nil {
			return err
		}
		var advisor int64
		for i, d := range staff {
			id, err := tx.AddStaff(ctx, Staff{
				Login: d.Login, Name: d.Name, Role: d.Role, Language: "ru", PasswordHash: hashes[i],
				Active: true, CreatedAt: s.now(), Stores: pick(stores, d.Stores),
			})
			if err != nil {
				return err
			}
			if advisor == 0 {
				advisor = id
			}
		}
		demo.PromoCode, err = s.demoVisit(ctx, tx, stores[0], advisor)
		return err
	})
	if KindOf(err) == Conflict {
		if n, countErr := s.DB.StaffCount(ctx); countErr == nil && n > 0 {
			return Demo{}, nil // another instance was a moment faster
		}
	}
	return demo, err
}

const (
	demoMoscow = "Европейский"
	demoUral   = "Гринвич"
)

func demoStaff() []DemoLogin {
	return []DemoLogin{
		{Login: "anna", Name: "Анна Котова", Role: Advisor, Stores: []string{demoMoscow}},
		{Login: "timur", Name: "Тимур Галиев", Role: Advisor, Stores: []string{demoUral}},
		{Login: "olga", Name: "Ольга Белова", Role: Advisor, Stores: []string{demoMoscow, demoUral}},
		{Login: "vera", Name: "Вера Соколова", Role: Supervisor, Stores: []string{demoMoscow, demoUral}},
		{Login: "admin", Name: "Алексей Миронов", Role: Administrator},
	}
}

func pick(stores []Store, names []string) []Store {
	var out []Store
	for _, name := range names {
		for _, st := range stores {
			if st.Name == name {
				out = append(out, st)
			}
		}
	}
	return out
}

func (s *Service) demoProgramme(ctx context.Context, tx Tx) ([]Store, error) {
	now := s.now()
	programme, err := tx.AddProgramme(ctx, Programme{
		Name: "Приведи друга", Brand: "Аура", Active: true, DiscountsOn: true,
		FriendDiscount: Discount{Percent: 15}, TrialDiscount: Discount{Percent: 10},
		ReferralUses: 3, ReferralDays: 90, TrialDays: 30, CreatedAt: now,
		GiftFriends: 3, GiftTitle: Localised{"ru": "чехол «Аура»", "en": "an Aura case"},
	})
	if err != nil {
		return nil, err
	}
	stores := []Store{
		{ProgrammeID: programme, Name: demoMoscow, City: "Москва", Address: "пл. Киевского Вокзала, 2", TimeZone: "Europe/Moscow", Active: true},
		{ProgrammeID: programme, Name: demoUral, City: "Екатеринбург", Address: "ул. 8 Марта, 46", TimeZone: "Asia/Yekaterinburg", Active: true},
	}
	for i := range stores {
		if stores[i].ID, err = tx.AddStore(ctx, stores[i]); err != nil {
			return nil, err
		}
	}
	for i, p := range []Product{{Name: "Аура Старт", Price: 3_990_00}, {Name: "Аура Про", Price: 5_490_00}, {Name: "Набор «Аура Дуэт»", Price: 8_990_00}} {
		p.ProgrammeID, p.Active, p.Position = programme, true, i+1
		if _, err := tx.AddProduct(ctx, p); err != nil {
			return nil, err
		}
	}
	if _, err := tx.AddQuestion(ctx, Question{
		ProgrammeID: programme, Active: true, Position: 1,
		Title: Localised{"ru": "Откуда узнали о нас?", "en": "How did you hear of us?"},
		Options: []Option{
			{Value: "friend", Title: Localised{"ru": "Посоветовал друг", "en": "A friend told me"}},
			{Value: "passing", Title: Localised{"ru": "Проходил мимо", "en": "Was passing by"}},
			{Value: "internet", Title: Localised{"ru": "Из интернета", "en": "On the internet"}},
		},
	}); err != nil {
		return nil, err
	}
	for _, d := range demoConsents() {
		d.ProgrammeID, d.Version, d.PublishedAt = programme, 1, now
		d.Hash = HashConsent(d.Title, d.Body)
		if _, err := tx.AddConsentDocument(ctx, d); err != nil {
			return nil, err
		}
	}
	return stores, nil
}

// demoVisit is a purchase of yesterday noon, made by the same rules as a real
// one, so that a friend's code can be tried at once and the handset has a
// message waiting.
func (s *Service) demoVisit(ctx context.Context, tx Tx, store Store, advisor int64) (string, error) {
	const phone = "+79000000001"
	year, month, day := s.now().In(store.Location()).Date()
	at := clockAt(year, month, day-1, 12*60, store.Location())
	products, err := tx.Products(ctx, store.ProgrammeID)
	if err != nil {
		return "", err
	}
	id, _, err := tx.AddVisit(ctx, Visit{
		ProgrammeID: store.ProgrammeID, StoreID: store.ID, AdvisorID: advisor, RequestID: DemoRequestID,
		Language: "ru", Day: store.Day(at), StartedAt: at, TouchedAt: at,
	})
	if err != nil {
		return "", err
	}
	v, err := tx.LockVisit(ctx, id)
	if err != nil {
		return "", err
	}
	contact, _, err := tx.ContactForPhone(ctx, Contact{Phone: phone, Name: "Мария", Language: "ru", CreatedAt: at})
	if err != nil {
		return "", err
	}
	if err := tx.SaveContact(ctx, Contact{ID: contact, Phone: phone, Name: "Мария", Language: "ru", VerifiedAt: &at}); err != nil {
		return "", err
	}
	docs, err := tx.CurrentConsentDocuments(ctx, store.ProgrammeID, "ru")
	if err != nil {
		return "", err
	}
	for _, d := range docs {
		if _, err := tx.AddConsent(ctx, Consent{
			Source: FromVisit, VisitID: id, ContactID: &contact, StoreID: store.ID, StaffID: advisor, DocumentID: d.ID, Hash: d.Hash, Given: true, At: at,
		}); err != nil {
			return "", err
		}
	}
	v.Age, v.ConsentsAt, v.PersonalData, v.Communications = AgeNoDoubt, &at, true, true
	v.ContactID, v.Phone, v.CustomerName, v.VerifiedAt, v.PromoPassed = &contact, phone, "Мария", &at, true
	v.Outcome, v.EndedAt, v.ProductID, v.Price = Purchase, &at, &products[0].ID, products[0].Price
	if err := tx.SaveVisit(ctx, v); err != nil {
		return "", err
	}
	for _, e := range []VisitEvent{
		{Kind: EventStarted}, {Kind: EventAge, Detail: string(AgeNoDoubt)}, {Kind: EventConsents, Detail: consentDetail(v)},
		{Kind: EventContact}, {Kind: EventPromoPassed}, {Kind: EventOutcome, Detail: string(Purchase)},
	} {
		e.VisitID, e.StaffID, e.At = id, advisor, at
		if err := tx.AddVisitEvent(ctx, e); err != nil {
			return "", err
		}
	}
	if err := s.follow(ctx, tx, v); err != nil {
		return "", err
	}
	code, err := tx.LiveCode(ctx, store.ProgrammeID, contact, ReferralCode, s.now())
	return code.Code, err
}

// demoConsents are examples in the shape that the law asks for; an operator
// replaces them with the texts of their own lawyer.
func demoConsents() []ConsentDocument {
	return []ConsentDocument{
		{
			Kind: PersonalData, Language: "ru", Title: "Согласие на обработку персональных данных",
			Body: "Я разрешаю компании «Аура» записать моё имя, номер телефона и ответы на вопросы анкеты и использовать их, чтобы вести программу «Приведи друга»: подтвердить мой номер, учесть покупку и выдать мне промокод.\n\n" +
				"Данные хранятся в России и не передаются никому, кроме оператора, который доставляет SMS. Согласие действует три года. Я могу отозвать его в любой момент в этом магазине, и данные удалят.",
		},
		{
			Kind: Communications, Language: "ru", Title: "Согласие на получение сообщений",
			Body: "Я согласен получать от компании «Аура» SMS по программе «Приведи друга»: код для подтверждения номера, свой промокод и сообщения о нём.\n\n" +
				"Сообщения приходят с 9 до 21 часа. Я могу отказаться от них в любой момент, и на покупку это не повлияет.",
		},
		{
			Kind: PersonalData, Language: "en", Title: "Consent to the processing of personal data",
			Body: "I allow the company Aura to record my name, my phone number and my answers to the questionnaire, and to use them to run the programme “Bring a friend”: to confirm my number, to count the purchase and to give me a promo code.\n\n" +
				"The data are kept in Russia and are given to nobody but the operator that delivers the SMS. This consent is valid for three years. I may withdraw it at any time in this store, and the data will be deleted.",
		},
		{
			Kind: Communications, Language: "en", Title: "Consent to receive messages",
			Body: "I agree to receive SMS from the company Aura about the programme “Bring a friend”: a code to confirm my number, my promo code, and messages about it.\n\n" +
				"Messages arrive between 9:00 and 21:00. I may refuse them at any time, and it will not affect my purchase.",
		},
	}
}
