package main

import (
	"net/http"
	"strings"
	"testing"

	"prilavok/domain"
)

// While a code is being made another tab changes the number, or takes it out of
// the visit: the SMS does not leave, and the advisor is told where to go on.
func TestCodeForAPhoneThatIsGone(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		anna := inspect(p.as("anna"))
		nobody := func(phone string) {
			t.Helper()
			if codes := p.codes(phone); len(codes) > 0 {
				t.Errorf("%s got %q", phone, codes)
			}
		}
		other := anna.walk(p, customer{phone: "+7 916 700 00 42"}, domain.StepCode)
		for phone, c := range map[string]struct {
			change string
			told   func(step string, a answer)
		}{
			"+7 916 700 00 43": {
				`UPDATE visits SET contact_id = (SELECT contact_id FROM visits WHERE id = ` + idOf(other) + `) WHERE id = $1`,
				func(_ string, a answer) {
					if text := anna.screen(a).text(); a.Status != http.StatusConflict || !strings.Contains(text, "Номер изменили в другой вкладке") || !strings.Contains(text, "-42") {
						t.Errorf("the number was changed: %d\n%s", a.Status, text)
					}
				},
			},
			"+7 916 700 00 44": {
				`UPDATE visits SET contact_id = NULL, customer_name = '' WHERE id = $1`,
				func(step string, a answer) { anna.goesTo(a, strings.TrimSuffix(step, "code")+"contact") },
			},
		} {
			visit := anna.walk(p, customer{phone: phone}, domain.StepCode)
			step := visit + "/code"
			values := anna.screen(anna.get(step)).form(step + "/sends")
			if !db.postgres {
				// SQLite has one writer, and what Redis is asked goes on record before:
				// the other tab comes right behind that.
				db.exec(strings.ReplaceAll(`CREATE TRIGGER other_tab AFTER INSERT ON code_attempts WHEN NEW.visit_id = $1 BEGIN `+c.change+`; END`, "$1", idOf(visit)))
				a := anna.do(http.MethodPost, step+"/sends", nil, values.Encode())
				db.exec(`DROP TRIGGER other_tab`)
				c.told(step, a)
				nobody(phone)
				continue
			}
			// The other tab holds the visit until the challenge is open.
			tab, err := db.db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			do := func(statement string, args ...any) {
				t.Helper()
				if _, err := tab.ExecContext(t.Context(), statement, args...); err != nil {
					t.Fatal(err)
				}
			}
			do("BEGIN")
			do(c.change, idOf(visit))
			sent := make(chan answer, 1)
			go func() { sent <- anna.do(http.MethodPost, step+"/sends", nil, values.Encode()) }()
			// The field for the code is there once the challenge is.
			for looker := p.as("anna"); !strings.Contains(looker.get(step).Body, `name="code"`); {
				select {
				case a := <-sent:
					t.Fatalf("it did not wait: %d", a.Status)
				default:
				}
			}
			do("COMMIT")
			_ = tab.Close()
			c.told(step, <-sent)
			nobody(phone)
		}
	})
}
