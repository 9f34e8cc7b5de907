package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

// overKannel starts the program with Kannel as its only gateway, or before
// others, and Kannel beside it.
func overKannel(t *testing.T, env []string, others ...string) (*program, *kannel, data) {
	t.Helper()
	k, env := kannelFor(t, env, others...)
	return start(t, env...), k, openData(t, env)
}

// kannelFor starts Kannel for a program that is still to be started, with the
// settings that it gives.
func kannelFor(t *testing.T, env []string, others ...string) (*kannel, []string) {
	t.Helper()
	site := "127.0.0.1:" + freePorts(t, 1)[0]
	secret := strings.Repeat("k", 32)
	_, incoming := callbacks("http://"+site, secret)
	k := newRealKannel(t, incoming)
	k.start()
	return k, slices.Concat(env, hours(), k.env(), []string{"DEMO=true", "ADDR=" + site, "SECRET_KEY=" + secret}, others)
}

// A code and the message of the next day go through a real gateway.
func TestKannelInABrowser(t *testing.T) {
	browser(t)
	eachBackend(t, func(t *testing.T, env []string) {
		p, k, db := overKannel(t, env)
		codeAndMessage(t, p, k, db)
	})
}

// TestKannel walks through visits whose SMS go and come through a real gateway.
func TestKannel(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p, k, db := overKannel(t, env)
		for _, j := range []struct {
			name string
			walk func(*testing.T, *program, *kannel, data)
		}{
			{"a long message", longMessage},
			{"STOP", func(t *testing.T, p *program, k *kannel, db data) { stopBySMS(t, p, k, db, "+7 916 720-00-04", "stop") }},
			{"СТОП", func(t *testing.T, p *program, k *kannel, db data) {
				stopBySMS(t, p, k, db, "+7 916 720-00-05", "Стоп!")
			}},
		} {
			t.Run(j.name, func(t *testing.T) { j.walk(t, p, k, db) })
		}
	})
}

// settled waits until a message has a state.
func (d data) settled(message, state string) {
	d.t.Helper()
	until(d.t, "message "+message+" is "+state, func() bool { return d.one(`SELECT state FROM messages WHERE id = $1`, message) == state })
}

// dueNow lets a scheduled message be due as if the next day had come.
func (d data) dueNow(message string) {
	d.t.Helper()
	past := time.Now().UTC().Add(-time.Minute).Truncate(time.Microsecond)
	d.exec(`UPDATE messages SET due_at = $2 WHERE id = $1`, message, past)
	var at any = past
	if !d.postgres {
		at = past.Format("2006-01-02 15:04:05.000") // as River writes it there
	}
	d.exec(`UPDATE river_job SET scheduled_at = $2 WHERE kind = 'send_message' AND `+d.jobOf()+` = $1`, message, at)
}

// verifyOver is verify with a code that came through the gateway.
func (w *window) verifyOver(k *kannel, phone string) {
	w.t.Helper()
	n := len(k.texts(phone))
	w.press("Выслать код")
	w.at(atCode)
	w.fill("Код из SMS", k.code(phone, n+1))
	w.press("Проверить код")
	w.at(atVerified)
}

func codeAndMessage(t *testing.T, p *program, k *kannel, db data) {
	const phone = "+7 916 720-00-01"
	w := newWindow(t, p.URL)
	w.enter("anna")
	w.serveUntilCode(phone, "Ирина")
	w.verifyOver(k, phone)
	visit := strings.TrimSuffix(strings.TrimPrefix(w.path(), "/visits/"), "/code")
	code := db.one(`SELECT id FROM messages WHERE visit_id = $1 AND channel = 'code'`, visit)
	db.settled(code, "delivered")
	if got := db.one(`SELECT gateway, body, parts FROM messages WHERE id = $1`, code); !strings.HasPrefix(got, "kannel |  | ") {
		t.Errorf("the code is on record as %q", got)
	}
	w.press("Продолжить")
	w.at(atPromo)
	w.press("Продолжить")
	w.at(atOutcome)
	w.choose("Покупка")
	w.fill("Товар", "Аура Старт")
	w.press("Завершить визит")
	w.at("Покупка")
	w.see("SMS с промокодом для друзей")
	if texts := k.texts(phone); len(texts) != 1 {
		t.Fatalf("before the next day there is more than the code: %q", texts)
	}
	message := db.one(`SELECT id FROM messages WHERE visit_id = $1 AND channel = 'programme'`, visit)
	promo := db.one(`SELECT c.code FROM promo_codes c JOIN messages m ON m.promo_code_id = c.id WHERE m.id = $1`, message)
	db.dueNow(message)
	text := k.receive(phone, 2)
	if shown := promo[:3] + " " + promo[3:6] + " " + promo[6:]; !strings.Contains(text, shown) {
		t.Errorf("the text has no %s: %q", shown, text)
	}
	db.settled(message, "delivered")
	if body := db.one(`SELECT body FROM messages WHERE id = $1`, message); body != text {
		t.Errorf("sent as %q and on record as %q", text, body)
	}
	until(t, "both reports have come, in either order", func() bool {
		return slices.Equal(db.rows(`SELECT DISTINCT state FROM delivery_reports WHERE message_id = $1 ORDER BY 1`, message), []string{"accepted", "delivered"})
	})
	if texts := k.texts(phone); len(texts) != 2 {
		t.Errorf("the phone has %q", texts)
	}
}

// longMessage is in many parts, each with signs of both alphabets.
func longMessage(t *testing.T, p *program, k *kannel, db data) {
	const phone = "+7 916 720-00-02"
	c := inspect(p.as("anna"))
	visit := c.walkOver(p, k, phone)
	message := db.one(`SELECT id FROM messages WHERE visit_id = $1 AND channel = 'programme'`, idOf(visit))
	// Kannel drops what is blank at the end.
	long := strings.TrimSpace(strings.Repeat("Ваш код {promo}, €5 & 100% <скидка> «друзьям» + ещё. ", 4))
	db.exec(`INSERT INTO message_templates (programme_id, kind, language, version, body, staff_id, created_at)
		SELECT programme_id, kind, language, 1 + coalesce((SELECT max(version) FROM message_templates), 0), $2, (SELECT min(id) FROM staff), created_at
		FROM messages WHERE id = $1`, message, long)
	db.dueNow(message)
	text := k.receive(phone, 2)
	if got := regexp.MustCompile(`\d{3} \d{3} \d{4}`).ReplaceAllString(text, "{promo}"); got != long {
		t.Errorf("the text is %q", text)
	}
	db.settled(message, "delivered")
	if parts := db.one(`SELECT parts FROM messages WHERE id = $1`, message); parts != "4" {
		t.Errorf("%s parts", parts)
	}
}

// walkOver serves a customer until a purchase, with a code that comes through
// the gateway.
func (c *client) walkOver(p *program, k *kannel, phone string) (visit string) {
	c.t.Helper()
	visit = c.walk(p, customer{phone: phone}, domain.StepCode)
	step, n := visit+"/code", len(k.texts(phone))
	c.sendCode(visit)
	c.goesTo(c.send(step, step+"/checks", "code", k.code(phone, n+1)), step)
	c.post(visit+"/promo", "go", "on", "promo", "")
	c.goesTo(c.purchase(visit), visit+"/summary")
	return visit
}

// While the program is away, and while its database is, the gateway keeps what
// it has to tell.
func TestKannelReportsLate(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		k, env := kannelFor(t, env)
		p, db := start(t, env...), openData(t, env)
		c := inspect(p.as("anna"))
		const phone = "+7 916 720-00-03"
		visit := c.walk(p, customer{phone: phone}, domain.StepCode)
		k.hangUp()
		c.sendCode(visit)
		message := db.one(`SELECT id FROM messages WHERE visit_id = $1`, idOf(visit))
		db.settled(message, "accepted")
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		k.connect()
		k.code(phone, 1)
		// Taken and delivered; with a third one where the line broke under it.
		k.until("the queue of reports", regexp.MustCompile(`DLR: received ([2-9]|\d\d)`).MatchString)
		if got := db.one(`SELECT state FROM messages WHERE id = $1`, message); got != "accepted" {
			t.Errorf("without a program the message is %s", got)
		}
		start(t, env...)
		db.settled(message, "delivered")
	})
}

// stopBySMS takes a customer's word through the gateway: nothing goes out any
// more but one answer.
func stopBySMS(t *testing.T, p *program, k *kannel, db data, phone, word string) {
	c := inspect(p.as("anna"))
	visit := c.walkOver(p, k, phone)
	contact := db.one(`SELECT contact_id FROM visits WHERE id = $1`, idOf(visit))
	message := db.one(`SELECT id FROM messages WHERE visit_id = $1 AND channel = 'programme'`, idOf(visit))
	consents := `SELECT d.kind, a.given, a.source FROM consents a JOIN consent_documents d ON d.id = a.document_id WHERE a.contact_id = $1 ORDER BY a.id DESC LIMIT 1`
	k.write(phone, "Когда придёт промокод?")
	until(t, "a question is on record", func() bool {
		return len(db.rows(`SELECT 1 FROM incoming_messages WHERE contact_id = $1 AND body = 'Когда придёт промокод?' AND word = ''`, contact)) == 1
	})
	for range 2 { // who is not sure that it was heard writes again
		k.write(phone, word)
	}
	until(t, "both words are on record", func() bool {
		return len(db.rows(`SELECT 1 FROM incoming_messages WHERE contact_id = $1 AND body = $2 AND word = 'stop'`, contact, word)) == 2
	})
	if got := db.one(consents, contact); !strings.Contains(got, "communications") || !strings.Contains(got, "sms") || strings.Contains(got, "true") || strings.Contains(got, "| 1") {
		t.Errorf("the newest consent is %q", got)
	}
	if got := db.one(`SELECT state, reason FROM messages WHERE id = $1`, message); !strings.HasPrefix(got, "cancelled | ") || got == "cancelled | " {
		t.Errorf("the message is %q", got)
	}
	answer := k.receive(phone, 2)
	id := db.one(`SELECT id FROM messages WHERE contact_id = $1 AND channel = 'service'`, contact)
	db.settled(id, "delivered")
	if body := db.one(`SELECT body FROM messages WHERE id = $1`, id); body != answer {
		t.Errorf("answered %q, on record %q", answer, body)
	}
	// What was due tomorrow is not sent even if its job comes.
	db.dueNow(message)
	until(t, "the job has come", func() bool {
		return len(db.rows(`SELECT 1 FROM river_job WHERE kind = 'send_message' AND state = 'completed' AND `+db.jobOf()+` = $1`, message)) == 1
	})
	if texts := k.texts(phone); len(texts) != 2 {
		t.Errorf("the phone has %q", texts)
	}
}

// jobOf is the message of a job, in SQL, as text.
func (d data) jobOf() string {
	if d.postgres {
		return `args->>'message_id'`
	}
	return `CAST(json_extract(args, '$.message_id') AS TEXT)`
}

// The gateway dies while messages go out and while a code is asked for: the
// advisor is told in words and in time, messages wait, and when the gateway is
// back everything goes on, nothing twice.
func TestKannelKilledInABrowser(t *testing.T) {
	t.Parallel()
	const messages = 300
	env := onPostgres(t)
	seed := start(t, env...)
	db := openData(t, env)
	db.due(seed, messages)
	db.exec(`UPDATE river_job SET state = 'scheduled', scheduled_at = now() + interval '1 hour' WHERE id >= $1`, firstDue)
	p, k, db := overKannel(t, env, "KANNEL_RATE=50", "CODE_RESEND_AFTER=1s", "LOG_LEVEL=warn")
	const phone = "+7 916 720-00-06"
	w := newWindow(t, p.URL)
	w.enter("anna")
	w.serveUntilCode(phone, "Ирина")
	db.exec(`UPDATE river_job SET state = 'available', scheduled_at = now() WHERE id >= $1`, firstDue)
	k.await(messages / 4)
	k.kill()
	began := time.Now()
	w.wrong.lost(true) // a 503 is what is wanted
	w.press("Выслать код")
	w.see(russian(t, "code.gateway_failed"))
	t.Logf("the advisor was told after %v", time.Since(began))
	if texts := k.texts(phone); len(texts) > 0 {
		t.Errorf("a code came: %q", texts)
	}
	// Whoever finds the gateway gone leaves the message for later.
	until(t, "a message waits", func() bool {
		return db.one(`SELECT count(*) FROM messages WHERE id >= $1 AND state = 'scheduled' AND attempts > 0`, firstDue) != "0"
	})
	k.start()
	w.wrong.lost(false)
	back := time.Now()
	// The screen stands at the code, which the first press has drawn.
	w.press("Выслать ещё раз")
	w.see("SMS доставлено")
	w.fill("Код из SMS", k.code(phone, 1))
	w.press("Проверить код")
	w.at(atVerified)
	waiting := `SELECT count(*) FROM messages WHERE id >= $1 AND state IN ('scheduled', 'sending')`
	until(t, "all messages have left", func() bool { return db.one(waiting, firstDue) == "0" })
	// What bearerbox and smsbox died with is never reported: neither what they had
	// taken nor what they had to tell.
	until(t, "reports of all that left later have come", func() bool {
		return db.one(`SELECT count(*) FROM messages WHERE state = 'accepted' AND accepted_at > $1`, back) == "0"
	})
	t.Logf("the fates: %s", db.fates())
	times := map[string]int{}
	k.mu.Lock()
	for _, p := range k.got {
		times[p.to]++
	}
	k.mu.Unlock()
	ends := 0
	for _, row := range db.rows(`SELECT c.phone, m.state, m.reason, m.accepted_at IS NULL FROM messages m JOIN contacts c ON c.id = m.contact_id WHERE m.id >= $1`, firstDue) {
		col := strings.Split(row, " | ")
		n := times[digits(col[0])]
		switch {
		case col[1] == "delivered" && n == 1, col[1] == "accepted" && n <= 1, col[1] == "unknown" && col[2] == domain.ReasonAmbiguous && n <= 1:
			ends++
		default:
			t.Errorf("came %d times: %s", n, row)
		}
	}
	if ends != messages {
		t.Errorf("%d messages are accounted for, want %d", ends, messages)
	}
}

// With a second gateway a code goes by that one, within the same press.
func TestKannelAwayAndASecondGatewayInABrowser(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p, k, db := overKannel(t, env, "SMS_GATEWAYS=kannel,handset")
		k.kill()
		const phone = "+7 916 720-00-07"
		w := newWindow(t, p.URL)
		w.enter("anna")
		w.serveUntilCode(phone, "Ирина")
		w.verify(phone)
		if got := db.rows(`SELECT gateway, state FROM messages WHERE channel = 'code'`); !slices.Equal(got, []string{"handset | delivered"}) {
			t.Errorf("codes on record: %q", got)
		}
	})
}
