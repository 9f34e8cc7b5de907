package views

import (
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

// The title of a summary asks to check a form only where a field of it can be
// mended.
func TestSummaryTitle(t *testing.T) {
	ctx := WithLanguage(t.Context(), Russian)
	for want, all := range map[string][]Faults{
		"Проверьте, пожалуйста": {{{Field: "phone", Text: "x"}}, {{Text: "x"}, {Field: "phone", Text: "x"}}},
		"Пока нельзя":           {{{Text: "x", Limited: true}}, {{Field: "code", Text: "x", Limited: true}}},
		"Не получилось":         {{{Text: "x"}}, {{Text: "x"}, {Text: "y"}}},
	} {
		for _, faults := range all {
			if got := summaryTitle(ctx, faults); got != want {
				t.Errorf("%v: %q, want %q", faults, got, want)
			}
		}
	}
}

func TestTabTitle(t *testing.T) {
	for lang, titles := range map[string]map[string]string{
		Russian: {"Прилавок": "Прилавок", "": "Прилавок", "Визиты": "Визиты · Прилавок"},
		English: {"Counter": "Counter · Prilavok", "Prilavok": "Prilavok", "": "Prilavok"},
	} {
		for title, want := range titles {
			if got := tabTitle(WithLanguage(t.Context(), lang), title); got != want {
				t.Errorf("%q: %q, want %q", title, got, want)
			}
		}
	}
}

// What nobody has named a price for costs no nought.
func TestCostWithoutPrice(t *testing.T) {
	ctx := WithLanguage(t.Context(), Russian)
	for _, c := range []struct {
		fate gatewayFate
		want string
	}{
		{gatewayFate{Parts: 3, Price: 450}, "4,50\u00a0₽"}, {gatewayFate{Parts: 3}, "Не указана"}, {gatewayFate{}, "—"},
	} {
		if got := fateCost(ctx, c.fate); got != c.want {
			t.Errorf("%+v: %q, want %q", c.fate, got, c.want)
		}
	}
	if got := messageCost(ctx, domain.Message{Parts: 2}); strings.Contains(got, "₽") {
		t.Errorf("a message costs %q", got)
	}
	if got := partPrice(ctx, 0); strings.Contains(got, "₽") {
		t.Errorf("a part costs %q", got)
	}
}

// A summary speaks of the future only where something is to come.
func TestSummaryWords(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	tomorrow := now.AddDate(0, 0, 1)
	for lang, comes := range map[string]string{Russian: "Придёт", English: "It comes"} {
		ctx := WithLanguage(t.Context(), lang)
		view := func(p domain.Promise) SummaryView {
			return SummaryView{Now: now, Location: time.UTC, Promise: p, Visit: domain.Visit{Phone: "+79161234567"}}
		}
		for _, state := range []domain.MessageState{
			domain.MessageScheduled, domain.MessageSending, domain.MessageAccepted, domain.MessageDelivered, domain.MessageUndelivered, domain.MessageUnknown,
		} {
			for _, at := range []time.Time{tomorrow, now.Add(-time.Hour)} {
				said := view(domain.Promise{Kind: domain.ReferralMessage, At: at, State: state, Since: now}).promised(ctx)
				if future := strings.HasPrefix(said, comes); future != (state == domain.MessageScheduled && at.After(now)) {
					t.Errorf("%s, due %v: %q", state, at, said)
				}
			}
		}
		for _, p := range []domain.Promise{
			{Why: "voided"}, {Why: "voided", State: domain.MessageDelivered, Since: now}, {Why: "cancelled"}, {Why: "cancelled", Reason: "stopped"},
			{Why: "barred", Reason: "programme_off"}, {Why: "outcome"}, {Why: "no_consent"}, {Why: "not_verified"}, {Why: "deferred"}, {Why: "phone_used"}, {Why: "programme_off"},
		} {
			if said := view(p).why(ctx); said == "" || strings.HasPrefix(said, "summary.") || strings.Contains(said, comes) {
				t.Errorf("%+v: %q", p, said)
			}
		}
	}
}
