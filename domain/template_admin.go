package domain

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// trialsPerHour is how many SMS an administrator may send to try a text.
	trialsPerHour = 10
	trialWindow   = time.Hour
	// trialDeadline is how long somebody waits for a trial sending, over all
	// gateways: less than a browser does.
	trialDeadline = 12 * time.Second
)

// What a preview shows in place of a customer's own. The promo code is none:
// its last digit does not check the others. Nor is the page anybody's; its name
// is as long as a real one.
const (
	samplePromo = "1234567890"
	samplePage  = "sample-of-nobody"
)

// TemplateKey says which text is meant.
type TemplateKey struct {
	ProgrammeID int64
	Kind        MessageKind
	Language    string
}

// ProgrammeTemplates are the texts of a programme that count now.
type ProgrammeTemplates struct {
	Programme Programme
	Texts     []TemplateRow // by kind, then by language
}

// TemplateRow is one text that counts now.
type TemplateRow struct {
	MessageTemplate
	Size SMSSize // filled in with samples
}

// TemplateDetails is everything about one text.
type TemplateDetails struct {
	TemplateKey
	Programme Programme
	Current   MessageTemplate   // what counts now
	Versions  []MessageTemplate // newest first, the one that the program brings at the end
	Places    []Place
	Location  *time.Location // that its days are told in
	PartPrice int64          // kopecks at the first gateway; 0: not known
}

// TemplatePreview is a text as it will come to a phone.
type TemplatePreview struct {
	Text   string
	Size   SMSSize
	Price  int64    // kopecks, all parts together; 0: not known
	Costly []string // the few characters without which it would be Latin, and shorter; none otherwise
	Parts  int      // that it would take without them

	// What stands right before and right behind the link and may become a part
	// of it on a phone; see besideLink.
	BeforeLink, BehindLink []string
}

// TemplateForm is a text as it was typed.
type TemplateForm struct {
	TemplateKey
	From int // the version that it was made from; below 0: not said
	Body string
}

// TrialForm is a text that shall be tried on one's own phone.
type TrialForm struct {
	TemplateKey
	RequestID string
	Body      string
	Phone     string
}

// Templates lists the texts of every programme, for an administrator.
func (s *Service) Templates(ctx context.Context, a Actor) ([]ProgrammeTemplates, error) {
	if a.Role != Administrator {
		return nil, forbidden()
	}
	programmes, err := s.DB.Programmes(ctx)
	if err != nil {
		return nil, err
	}
	written, err := s.DB.NewestTemplates(ctx)
	if err != nil {
		return nil, err
	}
	newest := map[TemplateKey]MessageTemplate{}
	for _, t := range written {
		newest[TemplateKey{t.ProgrammeID, t.Kind, t.Language}] = t
	}
	out := make([]ProgrammeTemplates, len(programmes))
	for i, p := range programmes {
		store, err := s.sampleStore(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		out[i].Programme = p
		for _, kind := range templateKinds() {
			for _, language := range templateLanguages() {
				key := TemplateKey{p.ID, kind, language}
				t, ok := newest[key]
				if !ok {
					t = key.builtIn()
				}
				out[i].Texts = append(out[i].Texts, TemplateRow{t, CountSMS(s.sampleText(key, p, store, t.Body))})
			}
		}
	}
	return out, nil
}

// builtIn is the text that the program brings, as version 0.
func (k TemplateKey) builtIn() MessageTemplate {
	return MessageTemplate{ProgrammeID: k.ProgrammeID, Kind: k.Kind, Language: k.Language, Body: builtInTemplate(k.Kind, k.Language)}
}

// mayEdit tells whether the actor may change texts, and whether there is such
// a one in any programme.
func (k TemplateKey) mayEdit(a Actor) error {
	switch {
	case a.Role != Administrator:
		return forbidden()
	case !slices.Contains(templateKinds(), k.Kind) || !slices.Contains(templateLanguages(), k.Language):
		return notFound()
	}
	return nil
}

// Template gives one text with its versions.
func (s *Service) Template(ctx context.Context, a Actor, key TemplateKey) (TemplateDetails, error) {
	d := TemplateDetails{TemplateKey: key, PartPrice: s.partPrice()}
	if err := key.mayEdit(a); err != nil {
		return d, err
	}
	var err error
	if d.Programme, err = s.DB.Programme(ctx, key.ProgrammeID); err != nil {
		return d, err
	}
	if d.Versions, err = s.DB.TemplateVersions(ctx, key.ProgrammeID, key.Kind, key.Language); err != nil {
		return d, err
	}
	d.Versions = append(d.Versions, key.builtIn())
	d.Current = d.Versions[0]
	store, err := s.sampleStore(ctx, key.ProgrammeID)
	if err != nil {
		return d, err
	}
	d.Location = store.Location()
	values := s.sampleValues(key, d.Programme, store)
	for _, p := range places[key.Kind] {
		p.Sample = values[p.Name]
		d.Places = append(d.Places, p)
	}
	return d, nil
}

// sampleStore is the store that samples name and whose calendar they follow.
func (s *Service) sampleStore(ctx context.Context, programmeID int64) (Store, error) {
	stores, err := s.DB.Stores(ctx)
	if err != nil {
		return Store{}, err
	}
	if i := slices.IndexFunc(stores, func(st Store) bool { return st.ProgrammeID == programmeID }); i >= 0 {
		return stores[i], nil
	}
	return Store{}, nil
}

// sampleValues are made as those of a real message are, of a customer who does
// not exist.
func (s *Service) sampleValues(key TemplateKey, p Programme, store Store) map[string]string {
	about := PromoCode{Code: samplePromo, Discount: p.FriendDiscount, MaxUses: p.ReferralUses}
	days := p.ReferralDays
	if key.Kind == TrialMessage {
		about.Discount, days = p.TrialDiscount, p.TrialDays
	}
	if days > 0 {
		until := store.startOfDay(s.now(), days+1)
		about.ExpiresAt = &until
	}
	values := s.values(MessageFacts{
		Message: Message{Kind: key.Kind, Language: key.Language}, Brand: p.Brand, GiftTitle: p.GiftTitle,
		TimeZone: store.TimeZone, About: about, PageToken: samplePage,
	})
	maps.Copy(values, map[string]string{"code": strings.Repeat("0", s.Settings.CodeLength), "store": store.Name})
	return values
}

func (s *Service) sampleText(key TemplateKey, p Programme, store Store, body string) string {
	values := s.sampleValues(key, p, store)
	if key.Kind.OfCode() {
		return s.codeText(body, values)
	}
	return fillTemplate(body, values)
}

// partPrice is what the gateway that is tried first takes for a part.
func (s *Service) partPrice() int64 {
	if len(s.Gateways) == 0 {
		return 0
	}
	return s.Gateways[0].PartPrice
}

// checkedText gives a text as it is kept and as it will come to a phone. What
// is wrong with it is a fault of the field "body".
func (s *Service) checkedText(ctx context.Context, key TemplateKey, typed string) (string, TemplatePreview, error) {
	body, fault := CheckTemplate(key.Kind, typed)
	if fault != nil {
		return "", TemplatePreview{}, &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: map[string]Text{"body": *fault}}
	}
	programme, err := s.DB.Programme(ctx, key.ProgrammeID)
	if err != nil {
		return "", TemplatePreview{}, err
	}
	store, err := s.sampleStore(ctx, key.ProgrammeID)
	if err != nil {
		return "", TemplatePreview{}, err
	}
	text := s.sampleText(key, programme, store, body)
	v := TemplatePreview{Text: text, Size: CountSMS(text)}
	if v.Size.Parts > templateParts {
		return "", TemplatePreview{}, invalid("body", "templates.too_many_parts", "Count", v.Size.Parts, "Max", templateParts)
	}
	v.Price = int64(v.Size.Parts) * s.partPrice()
	v.Costly, v.Parts = costlyFew(text, v.Size.Parts)
	v.BeforeLink, v.BehindLink = besideLink(body, s.sampleValues(key, programme, store))
	return body, v, nil
}

// costlyFew tells of a text in Latin letters that a dash, a quotation mark or a
// Cyrillic letter that slipped in doubles its price, which nobody sees: which
// characters they are, and how many parts it would take without. Where they
// are many, the text is simply in another script.
func costlyFew(text string, parts int) ([]string, int) {
	costly, without, n := Costly(text), text, 0
	for _, c := range costly {
		n += strings.Count(text, c)
		without = strings.ReplaceAll(without, c, "-")
	}
	if n == 0 || n > 4 {
		return nil, 0
	}
	if fewer := CountSMS(without).Parts; fewer < parts {
		return costly, fewer
	}
	return nil, 0
}

// PreviewTemplate shows a text as it will come to a phone, with samples in its
// places.
func (s *Service) PreviewTemplate(ctx context.Context, a Actor, key TemplateKey, typed string) (TemplatePreview, error) {
	if err := key.mayEdit(a); err != nil {
		return TemplatePreview{}, err
	}
	_, v, err := s.checkedText(ctx, key, typed)
	return v, err
}

// SaveTemplate makes a text the one that counts, as a new version; false where
// it is already. It is a Conflict where another administrator has saved one
// since the form was made.
func (s *Service) SaveTemplate(ctx context.Context, a Actor, f TemplateForm) (saved bool, err error) {
	if err := f.mayEdit(a); err != nil {
		return false, err
	}
	if f.From < 0 {
		return false, formStale()
	}
	body, _, err := s.checkedText(ctx, f.TemplateKey, f.Body)
	if err != nil {
		return false, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		saved = false
		newest, err := newestTemplate(ctx, tx, Message{ProgrammeID: f.ProgrammeID, Kind: f.Kind, Language: f.Language})
		if err != nil {
			return err
		}
		if newest.Version == f.From && newest.Body != body {
			saved, err = tx.AddTemplate(ctx, MessageTemplate{
				ProgrammeID: f.ProgrammeID, Kind: f.Kind, Language: f.Language, Version: f.From + 1,
				Body: body, StaffID: a.ID, CreatedAt: s.now(),
			})
			if err != nil || saved {
				return err
			}
			// Somebody was quicker by a moment.
			if newest, err = tx.NewestTemplate(ctx, f.ProgrammeID, f.Kind, f.Language); err != nil {
				return err
			}
		}
		// The same text by a second press, or by two at once, is nobody's loss.
		if newest.Body == body {
			return nil
		}
		return &Error{Kind: Conflict, Message: Say("templates.newer", "Version", newest.Version, "Who", newest.StaffName)}
	})
	return saved, err
}

// RestoreTemplate makes an older version count again, as a new one.
func (s *Service) RestoreTemplate(ctx context.Context, a Actor, key TemplateKey, from, version int) (saved bool, err error) {
	d, err := s.Template(ctx, a, key)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(d.Versions, func(t MessageTemplate) bool { return t.Version == version })
	if i < 0 {
		return false, formStale()
	}
	return s.SaveTemplate(ctx, a, TemplateForm{TemplateKey: key, From: from, Body: d.Versions[i].Body})
}

// SendTrial sends a text, as it was typed and with samples in its places, to a
// phone of the administrator's own, and gives the message as the gateways
// answered. It is sent once; the phone is kept nowhere.
func (s *Service) SendTrial(ctx context.Context, a Actor, f TrialForm) (Message, error) {
	if err := f.mayEdit(a); err != nil {
		return Message{}, err
	}
	if !validRequestID(f.RequestID) {
		return Message{}, formStale()
	}
	body, preview, err := s.checkedText(ctx, f.TemplateKey, f.Body)
	if err != nil && KindOf(err) != Invalid {
		return Message{}, err
	}
	phone := s.parsePhone(f.Phone)
	if phone.fault != nil {
		fields := map[string]Text{"phone": *phone.fault}
		maps.Copy(fields, FieldsOf(err))
		return Message{}, &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: fields}
	}
	if err != nil {
		return Message{}, err
	}
	first, open := s.messageGateway(0)
	if !open {
		return Message{}, &Error{Kind: Unavailable, Message: Say("templates.no_gateway")}
	}
	if err := s.mayTry(ctx, a, f.RequestID); err != nil {
		return Message{}, err
	}
	// From here on the SMS may be paid for: the browser hanging up must not
	// leave it without a record.
	ctx = context.WithoutCancel(ctx)
	sending, cancel := context.WithTimeout(ctx, trialDeadline)
	defer cancel()
	wait, ok, err := s.pace(sending, s.Gateways[first], ServiceChannel)
	if err != nil {
		return Message{}, err
	}
	if !ok {
		return Message{}, &Error{Kind: Unavailable, Message: Say("templates.gateway_busy"), RetryAfter: wait}
	}
	now := s.now()
	m := Message{
		Channel: ServiceChannel, Kind: f.Kind, ProgrammeID: f.ProgrammeID, Phone: phone.e164, Language: f.Language,
		Body: preview.Text, Parts: preview.Size.Parts, State: MessageSending, DueAt: now, SendingAt: &now, CreatedAt: now,
	}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		newest, err := newestTemplate(ctx, tx, m)
		if err != nil {
			return err
		}
		if m.TemplateVersion = 0; newest.Body == body {
			m.TemplateVersion = newest.Version
		}
		m.ID, err = tx.AddMessage(ctx, m)
		return err
	})
	if err != nil {
		return Message{}, err
	}
	outcome(&m, s.handMessage(sending, m, first, false), s.now())
	return m, s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error { return s.recordMessage(ctx, tx, m) })
}

// mayTry counts a trial sending. The same form sent twice sends one SMS.
func (s *Service) mayTry(ctx context.Context, a Actor, requestID string) error {
	who := staffSubject(a.ID)
	ok, _, err := s.Throttle.Allow(ctx, "trial-request:"+who+":"+requestID, 1, trialWindow)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Kind: Conflict, Message: Say("templates.trial_repeated")}
	}
	ok, wait, err := s.Throttle.Allow(ctx, "trial:"+who, trialsPerHour, trialWindow)
	if err == nil && !ok {
		err = &Error{Kind: Limited, Message: Say("templates.trials_limited", "Count", minutes(wait)), RetryAfter: wait}
	}
	return err
}
