package domain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/domain/domaintest"
)

func (w *world) administrator() domain.Actor { return domain.Actor{Staff: w.set.Administrator} }

func (w *world) textOf(kind domain.MessageKind) domain.TemplateKey {
	return domain.TemplateKey{ProgrammeID: w.set.Programme.ID, Kind: kind, Language: "ru"}
}

func (w *world) save(kind domain.MessageKind, from int, body string) (bool, error) {
	return w.SaveTemplate(w.t.Context(), w.administrator(), domain.TemplateForm{TemplateKey: w.textOf(kind), From: from, Body: body})
}

// versions are the texts that were written, the newest first.
func (w *world) versions(kind domain.MessageKind) (out []string) {
	w.t.Helper()
	d, err := w.Template(w.t.Context(), w.administrator(), w.textOf(kind))
	if err != nil {
		w.t.Fatal(err)
	}
	if d.Current != d.Versions[0] {
		w.t.Errorf("%+v counts, the newest is %+v", d.Current, d.Versions[0])
	}
	for _, v := range d.Versions[:len(d.Versions)-1] {
		out = append(out, fmt.Sprintf("%d %s %s", v.Version, v.StaffName, v.Body))
	}
	return out
}

func TestTemplateVersions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, who := t.Context(), w.set.Administrator.Name
		step := func(name string, saved bool, err error, wantSaved bool, kind domain.Kind, want ...string) {
			t.Helper()
			if saved != wantSaved || err != nil && domain.KindOf(err) != kind || err == nil && kind != 0 {
				t.Errorf("%s: %t, %v", name, saved, err)
			}
			if got := w.versions(domain.ReferralMessage); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		d, err := w.Template(ctx, w.administrator(), w.textOf(domain.ReferralMessage))
		if err != nil || d.Current.Version != 0 || d.Current.Body == "" {
			t.Fatalf("at first: %+v, %v", d.Current, err)
		}
		saved, err := w.save(domain.ReferralMessage, 0, d.Current.Body+"\r\n")
		step("the text of the program again", saved, err, false, 0)
		saved, err = w.save(domain.ReferralMessage, 0, " Ваш {promo}\r\n")
		one := "1 " + who + " Ваш {promo}"
		step("another one", saved, err, true, 0, one)
		saved, err = w.save(domain.ReferralMessage, 0, "Ваш {promo}")
		step("the same by a second press", saved, err, false, 0, one)
		saved, err = w.save(domain.ReferralMessage, 0, "Мой {promo}")
		step("one that was made from an older one", saved, err, false, domain.Conflict, one)
		saved, err = w.save(domain.ReferralMessage, 7, "Мой {promo}")
		step("one that was made from nothing that there is", saved, err, false, domain.Conflict, one)
		saved, err = w.save(domain.ReferralMessage, -1, "Мой {promo}")
		step("without a version", saved, err, false, domain.Invalid, one)
		saved, err = w.save(domain.ReferralMessage, 1, "Мой промокод")
		step("without the promo code", saved, err, false, domain.Invalid, one)
		saved, err = w.save(domain.ReferralMessage, 1, "Мой {promo}")
		two := "2 " + who + " Мой {promo}"
		step("the next", saved, err, true, 0, two, one)
		saved, err = w.RestoreTemplate(ctx, w.administrator(), w.textOf(domain.ReferralMessage), 2, 1)
		three := "3 " + who + " Ваш {promo}"
		step("the first once more", saved, err, true, 0, three, two, one)
		saved, err = w.RestoreTemplate(ctx, w.administrator(), w.textOf(domain.ReferralMessage), 2, 0)
		step("back by an old page", saved, err, false, domain.Conflict, three, two, one)
		saved, err = w.RestoreTemplate(ctx, w.administrator(), w.textOf(domain.ReferralMessage), 3, 9)
		step("a version that is none", saved, err, false, domain.Invalid, three, two, one)
		saved, err = w.RestoreTemplate(ctx, w.administrator(), w.textOf(domain.ReferralMessage), 3, 0)
		step("back to the program's", saved, err, true, 0, "4 "+who+" "+d.Current.Body, three, two, one)
		if got := w.versions(domain.TrialMessage); got != nil {
			t.Errorf("another text has versions: %q", got)
		}
	})
}

// Of two who save at once neither loses a text without knowing: both are
// versions, or one is told.
func TestTemplatesAtOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for from := range 8 {
			texts := [2]string{fmt.Sprintf("{brand} %d", 2*from), fmt.Sprintf("{brand} %d", 2*from+1)}
			var errs [2]error
			var saved [2]bool
			var group sync.WaitGroup
			for i := range texts {
				group.Go(func() { saved[i], errs[i] = w.save(domain.StoppedMessage, from, texts[i]) })
			}
			group.Wait()
			if saved[0] == saved[1] || errs[0] == nil == (errs[1] == nil) {
				t.Fatalf("saved %t, errors %v", saved, errs)
			}
			for i, err := range errs {
				if err != nil && (domain.KindOf(err) != domain.Conflict || saved[i]) {
					t.Errorf("the slower one: %v", err)
				}
			}
			// The same text by both is saved once, and nobody is bothered.
			if got := w.versions(domain.StoppedMessage); len(got) != from+1 {
				t.Fatalf("%d versions: %q", len(got), got)
			}
		}
		for range 8 {
			from := len(w.versions(domain.StoppedMessage))
			var saved [2]bool
			var errs [2]error
			var group sync.WaitGroup
			for i := range saved {
				group.Go(func() {
					saved[i], errs[i] = w.save(domain.StoppedMessage, from, fmt.Sprintf("{brand}, {brand} %d", from))
				})
			}
			group.Wait()
			if saved[0] == saved[1] || errs != [2]error{} || len(w.versions(domain.StoppedMessage)) != from+1 {
				t.Fatalf("the same text at once: %t, %v", saved, errs)
			}
		}
	})
}

// What an administrator has written is what customers get, from the next SMS
// on, and the message names the version.
func TestTemplateIsSent(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if _, err := w.save(domain.CodeMessage, 0, "{code} код, {store}, {brand}"); err != nil {
			t.Fatal(err)
		}
		v := w.verified(w.anna, "+79161110000")
		want := " код, " + w.set.Moscow.Name + ", " + w.set.Programme.Brand + "\n@shop.example #"
		if got := w.sms.Last("+79161110000"); !strings.Contains(got, want) || !codePattern.MatchString(got) {
			t.Errorf("the customer got %q, want it to hold %q", got, want)
		}
		messages, err := w.DB.VisitMessages(t.Context(), v.ID)
		if err != nil || len(messages) != 1 || messages[0].TemplateVersion != 1 || messages[0].Body != "" {
			t.Errorf("on record: %+v, %v", messages, err)
		}
	})
}

func TestTemplatePreview(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Gateways[0].PartPrice = 350
		ctx := t.Context()
		show := func(kind domain.MessageKind, language, body string) domain.TemplatePreview {
			t.Helper()
			v, err := w.PreviewTemplate(ctx, w.administrator(), domain.TemplateKey{ProgrammeID: w.set.Programme.ID, Kind: kind, Language: language}, body)
			if err != nil {
				t.Errorf("%q: %v", body, err)
			}
			return v
		}
		for _, c := range []struct {
			kind       domain.MessageKind
			body, want string
		}{
			{domain.CodeMessage, "{code} {brand} {store}", "0000 Тест " + firstStore(w) + "\n@shop.example #0000"},
			{domain.ReferralMessage, "{promo}, {discount}, {left}.{until} {link}", "123 456 7890, 15%, 3. Действует до 01.09.2025. https://shop.example:8443/m/sample-of-nobody"},
			{domain.TrialMessage, "{promo}, {discount}.{until}", "123 456 7890, 500 ₽. Действует до 03.07.2025."},
			{domain.GiftMessage, "Подарок{gift}!", "Подарок: чехол!"},
			{domain.StartedMessage, "{brand}", "Тест"},
		} {
			v := show(c.kind, "ru", c.body)
			if v.Text != c.want || v.Size != domain.CountSMS(c.want) || v.Price != int64(v.Size.Parts)*350 {
				t.Errorf("%q: %+v, want %q", c.body, v, c.want)
			}
		}
		// One dash makes a text of one SMS cost three.
		if v := show(domain.StoppedMessage, "en", "Bye — "+strings.Repeat("a", 140)); v.Size.Parts != 3 || v.Parts != 1 || !slices.Equal(v.Costly, []string{"—"}) {
			t.Errorf("a dash among Latin letters: %+v", v)
		}
		if v := show(domain.StoppedMessage, "ru", strings.Repeat("Щи. ", 60)); v.Costly != nil {
			t.Errorf("a Cyrillic text of few letters: %+v", v)
		}
		for _, body := range []string{strings.Repeat("я", 6*67), strings.Repeat("a", 6*153)} {
			if v := show(domain.StoppedMessage, "ru", body); v.Size.Parts != 6 || v.Size.Left != 0 {
				t.Errorf("six full parts: %+v", v.Size)
			}
			_, err := w.PreviewTemplate(ctx, w.administrator(), w.textOf(domain.StoppedMessage), body+"a")
			if domain.FieldsOf(err)["body"].Key != "templates.too_many_parts" {
				t.Errorf("seven parts: %v", err)
			}
		}
		// Nothing of it is kept.
		if got := w.versions(domain.StoppedMessage); got != nil {
			t.Errorf("a preview was saved: %q", got)
		}
	})
}

// firstStore is the one that samples name.
func firstStore(w *world) string {
	stores, err := w.DB.Stores(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return stores[0].Name
}

func (w *world) trial(request, phone, body string) (domain.Message, error) {
	return w.SendTrial(w.t.Context(), w.administrator(), domain.TrialForm{
		TemplateKey: w.textOf(domain.CodeMessage), RequestID: request, Phone: phone, Body: body,
	})
}

func TestTrial(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.Gateways[0].PartPrice = 350
		const phone, body = "8 (916) 300-00-01", "{code} — код, {brand}"
		m, err := w.trial("one", phone, body)
		if err != nil || m.State != domain.MessageAccepted {
			t.Fatalf("%+v, %v", m, err)
		}
		want := "0000 — код, Тест\n@shop.example #0000"
		if sent := w.sms.Sent(); len(sent) != 1 || sent[0].To != "+79163000001" || sent[0].Text != want || sent[0].Code || sent[0].MessageID != m.ID {
			t.Errorf("sent: %+v", sent)
		}
		kept, err := w.DB.Message(ctx, m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if kept.Channel != domain.ServiceChannel || kept.Kind != domain.CodeMessage || kept.ContactID != 0 || kept.VisitID != 0 || kept.Phone != "" ||
			kept.Body != want || kept.State != domain.MessageAccepted || kept.Price != 350 || kept.GatewayID != "" || kept.TemplateVersion != 0 {
			t.Errorf("kept: %+v", kept)
		}
		// It stands on no customer's handset.
		if recent, err := w.DB.RecentMessages(ctx, 10); err != nil || len(recent) != 0 {
			t.Errorf("on the handset: %+v, %v", recent, err)
		}
		if _, err := w.trial("one", phone, body); domain.KindOf(err) != domain.Conflict || len(w.sms.Sent()) != 1 {
			t.Errorf("the same form again: %v, %d sent", err, len(w.sms.Sent()))
		}
		for _, c := range []struct{ request, phone, body, fields string }{
			{"two", "", body, "phone"}, {"two", "12", body, "phone"}, {"two", "+7 495 123-45-67", body, "phone"},
			{"two", phone, "{brand}", "body"}, {"two", "12", "{brand}", "body phone"}, {"", phone, body, ""},
		} {
			_, err := w.trial(c.request, c.phone, c.body)
			var fields []string
			for f := range domain.FieldsOf(err) {
				fields = append(fields, f)
			}
			slices.Sort(fields)
			if domain.KindOf(err) != domain.Invalid || strings.Join(fields, " ") != c.fields {
				t.Errorf("%+v: %v", c, err)
			}
		}
		// A text that counts is named by its version.
		if _, err := w.save(domain.CodeMessage, 0, body); err != nil {
			t.Fatal(err)
		}
		if m, err := w.trial("two", phone, body+" "); err != nil || m.TemplateVersion != 1 {
			t.Errorf("the text that counts: %+v, %v", m, err)
		}
	})
}

func TestTrialFails(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone, body = "+79163000001", "{code}"
		for i, c := range []struct {
			fault  domain.SMSFault
			state  domain.MessageState
			reason string
		}{
			{domain.SMSRefused, domain.MessageUndelivered, domain.ReasonRefused},
			{domain.SMSDown, domain.MessageUndelivered, domain.ReasonDown},
			{domain.SMSAmbiguous, domain.MessageUnknown, domain.ReasonAmbiguous},
		} {
			w.sms.Fail(&domain.SMSError{Fault: c.fault, Err: context.DeadlineExceeded})
			m, err := w.trial(fmt.Sprint(i), phone, body)
			if err != nil || m.State != c.state || m.Reason != c.reason {
				t.Errorf("%+v: %+v, %v", c, m, err)
			}
			if kept, err := w.DB.Message(t.Context(), m.ID); err != nil || kept.State != c.state || kept.Reason != c.reason {
				t.Errorf("%+v, kept: %+v, %v", c, kept, err)
			}
		}
		w.sms.Fail(nil)
		second := &domaintest.SMS{}
		w.Gateways = append(w.Gateways, second.Gateway())
		w.sms.Fail(&domain.SMSError{Fault: domain.SMSRefused, Err: context.DeadlineExceeded})
		if m, err := w.trial("second", phone, body); err != nil || m.State != domain.MessageAccepted || len(second.Sent()) != 1 {
			t.Errorf("the second gateway: %+v, %v", m, err)
		}
		before := len(second.Sent())
		w.sms.SetHealth(domain.GatewayHealth{SetAside: true})
		second.SetHealth(domain.GatewayHealth{SetAside: true})
		for _, gateways := range [][]domain.Gateway{w.Gateways, nil} {
			w.Gateways = gateways
			// Nothing was sent, so nothing is counted: the form may be sent again.
			for range 2 {
				if _, err := w.trial("none", phone, body); domain.KindOf(err) != domain.Unavailable {
					t.Errorf("without a gateway: %v", err)
				}
			}
		}
		if len(second.Sent()) != before {
			t.Error("a gateway that is set aside was asked")
		}
	})
}

func TestTrialsAreLimited(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i := range 10 {
			if _, err := w.trial(fmt.Sprint("n", i), "+79163000001", "{code}"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.trial("n10", "+79163000001", "{code}")
		var limited *domain.Error
		if !errors.As(err, &limited) || limited.Kind != domain.Limited || limited.RetryAfter <= 0 || limited.RetryAfter > time.Hour {
			t.Errorf("the eleventh: %+v", err)
		}
		if n := len(w.sms.Sent()); n != 10 {
			t.Errorf("%d were sent", n)
		}
	})
}

// Texts are an administrator's business.
func TestTemplatesAreForAdministrators(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, key := t.Context(), w.textOf(domain.TrialMessage)
		for _, a := range []domain.Actor{w.anna, {Staff: w.set.Supervisor}, {}} {
			_, list := w.Templates(ctx, a)
			_, one := w.Template(ctx, a, key)
			_, preview := w.PreviewTemplate(ctx, a, key, "{promo}")
			_, save := w.SaveTemplate(ctx, a, domain.TemplateForm{TemplateKey: key, Body: "{promo}"})
			_, restore := w.RestoreTemplate(ctx, a, key, 0, 0)
			_, trial := w.SendTrial(ctx, a, domain.TrialForm{TemplateKey: key, RequestID: "x", Body: "{promo}", Phone: "+79163000001"})
			for i, err := range []error{list, one, preview, save, restore, trial} {
				if domain.KindOf(err) != domain.Forbidden {
					t.Errorf("%s, %d: %v", a.Role, i, err)
				}
			}
		}
		for _, made := range []domain.TemplateKey{
			{ProgrammeID: key.ProgrammeID + 99, Kind: key.Kind, Language: "ru"},
			{ProgrammeID: key.ProgrammeID, Kind: "other", Language: "ru"}, {ProgrammeID: key.ProgrammeID, Kind: key.Kind, Language: "de"},
		} {
			_, one := w.Template(ctx, w.administrator(), made)
			_, save := w.SaveTemplate(ctx, w.administrator(), domain.TemplateForm{TemplateKey: made, Body: "{promo}"})
			_, trial := w.SendTrial(ctx, w.administrator(), domain.TrialForm{TemplateKey: made, RequestID: "x", Body: "{promo}", Phone: "+79163000001"})
			for i, err := range []error{one, save, trial} {
				if !domain.IsNotFound(err) {
					t.Errorf("%+v, %d: %v", made, i, err)
				}
			}
		}
		list, err := w.Templates(ctx, w.administrator())
		if err != nil || len(list) != 1 || len(list[0].Texts) != 14 {
			t.Fatalf("the list: %+v, %v", list, err)
		}
		for _, row := range list[0].Texts {
			if row.Version != 0 || row.Body == "" || row.Size.Parts == 0 {
				t.Errorf("%+v", row)
			}
		}
		if _, err := w.save(domain.GiftMessage, 0, "{brand}: ваш подарок"); err != nil {
			t.Fatal(err)
		}
		list, err = w.Templates(ctx, w.administrator())
		for _, row := range list[0].Texts {
			if written := row.Kind == domain.GiftMessage && row.Language == "ru"; err != nil || written != (row.Version == 1) || written != (row.Body == "{brand}: ваш подарок") {
				t.Errorf("%+v, %v", row, err)
			}
		}
	})
}
