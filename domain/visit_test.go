package domain

import (
	"testing"
	"time"
)

// The step a visit stands at follows from what is saved, and from nothing
// else.
func TestNextAndReachable(t *testing.T) {
	now, contact := time.Now(), int64(1)
	start := Visit{}
	aged := Visit{Age: AgeNoDoubt}
	anonymous := Visit{Age: AgeSeen, ConsentsAt: &now}
	onlyMessages := Visit{Age: AgeSeen, ConsentsAt: &now, Communications: true}
	onlyData := Visit{Age: AgeSeen, ConsentsAt: &now, PersonalData: true}
	both := Visit{Age: AgeSeen, ConsentsAt: &now, PersonalData: true, Communications: true}
	silent, called := onlyData, both
	silent.ContactID, called.ContactID = &contact, &contact
	verified, skipped := called, called
	verified.VerifiedAt, skipped.CodeSkipped = &now, true
	passed := verified
	passed.PromoPassed = true
	ended := passed
	ended.Outcome, ended.EndedAt = Purchase, &now

	for _, c := range []struct {
		name      string
		v         Visit
		next      Step
		reachable []Step
	}{
		{"new", start, StepAge, []Step{StepAge}},
		{"age checked", aged, StepConsents, []Step{StepAge, StepConsents}},
		{"no consent", anonymous, StepOutcome, []Step{StepAge, StepConsents, StepOutcome}},
		{"messages without personal data", onlyMessages, StepOutcome, []Step{StepAge, StepConsents, StepOutcome}},
		{"personal data only", onlyData, StepContact, []Step{StepAge, StepConsents, StepContact}},
		{"contact without messages", silent, StepPromo, []Step{StepAge, StepConsents, StepContact, StepPromo}},
		{"contact", called, StepCode, []Step{StepAge, StepConsents, StepContact, StepCode}},
		{"verified", verified, StepPromo, []Step{StepAge, StepConsents, StepContact, StepCode, StepPromo}},
		{"code skipped", skipped, StepPromo, []Step{StepAge, StepConsents, StepContact, StepCode, StepPromo}},
		{"promo passed", passed, StepOutcome, Steps()},
		{"ended", ended, StepOutcome, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.v.Next(); got != c.next {
				t.Errorf("Next() = %s, want %s", got, c.next)
			}
			var got []Step
			for _, s := range Steps() {
				if c.v.Reachable(s) {
					got = append(got, s)
				}
			}
			if len(got) != len(c.reachable) {
				t.Fatalf("reachable %v, want %v", got, c.reachable)
			}
			for i := range got {
				if got[i] != c.reachable[i] {
					t.Fatalf("reachable %v, want %v", got, c.reachable)
				}
			}
		})
	}
}
