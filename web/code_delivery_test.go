package main

import (
	"testing"
	"time"
)

// What becomes of an SMS shows on the advisor's screen by itself, and takes
// nothing away from whoever types there.
func TestCodeDeliveryInABrowser(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		const phone = "+7 916 700-00-71"
		w := newWindow(t, p.URL)
		w.enter("anna")
		w.serveUntilCode(phone, "Алла")
		w.press("Выслать код")
		w.at(atCode)
		// The demo's handset has it at once.
		w.see("SMS доставлено в ")
		w.fill("Код из SMS", "12")

		id := db.one(`SELECT max(id) FROM messages WHERE channel = 'code'`)
		accepted := func(age time.Duration) {
			db.exec(`UPDATE messages SET state = 'accepted', settled_at = NULL, created_at = $2 WHERE id = $1`, id, time.Now().UTC().Add(-age))
		}
		accepted(0)
		w.see(russian(t, "code.accepted"))
		accepted(19 * time.Second)
		w.see(russian(t, "code.late"), russian(t, "code.late_what"))
		w.see("Выслать ещё раз")
		db.exec(`UPDATE messages SET state = 'undelivered', reason = 'not_arrived', settled_at = $2 WHERE id = $1`, id, time.Now().UTC())
		w.see(russian(t, "code.undelivered"))
		// A late report still counts.
		db.exec(`UPDATE messages SET state = 'delivered', reason = '', settled_at = $2 WHERE id = $1`, id, time.Now().UTC())
		w.see("SMS доставлено в ")
		w.gone(russian(t, "code.late_what"))

		if got := w.value("Код из SMS"); got != "12" {
			t.Errorf("the field holds %q", got)
		}
		w.focused("input[name=code]")
	})
}
