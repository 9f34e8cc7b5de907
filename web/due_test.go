package main

import (
	"fmt"
	"strings"
	"testing"

	"prilavok/domain"
)

// firstDue is the number of the first of many customers to whom a message is
// due; see firstVisit for what follows from it.
const firstDue = 2_000_000

// due makes n messages that are due, each with a job as the program adds it, to
// a customer each, out of one purchase that the program itself has seen. All
// are in English, of a template that makes one part of each, unlike any other.
// It stops the program, which would begin to send them.
func (d data) due(p *program, n int) {
	d.t.Helper()
	like := idOf(template(p, domain.StepOutcome, ""))
	anna := p.as("anna")
	anna.goesTo(anna.purchase("/visits/"+like), "/visits/"+like+"/summary")
	code := d.one(`SELECT id FROM promo_codes WHERE source_visit_id = $1`, like)
	message := d.one(`SELECT id FROM messages WHERE visit_id = $1 AND channel = 'programme'`, like)
	job := d.one(`SELECT id FROM river_job WHERE kind = 'send_message' AND args->>'message_id' = $1`, message)
	if err := p.stop(); err != nil {
		d.t.Fatal(err)
	}
	d.exec(`INSERT INTO message_templates (programme_id, kind, language, version, body, staff_id, created_at)
		SELECT programme_id, kind, 'en', 1, '{promo}', (SELECT min(id) FROM staff), created_at FROM messages WHERE id = $1`, message)
	d.visits(like, firstDue, n)
	d.exec(`UPDATE contacts SET page_token = 'bench-' || id WHERE id >= $1`, firstDue+contactAfter)
	for i, consent := range d.rows(`SELECT id FROM consents WHERE visit_id = $1 ORDER BY id`, like) {
		d.copies("consents", consent, firstDue, n, fmt.Sprintf(`'id', n + %d, 'visit_id', n, 'contact_id', n + %d`, (i+1)*10_000_000, contactAfter))
	}
	d.copies("verifications", d.one(`SELECT id FROM verifications WHERE visit_id = $1`, like), firstDue, n,
		fmt.Sprintf(`'id', n, 'challenge_id', 'bench-' || n, 'visit_id', n, 'contact_id', n + %d`, contactAfter))
	d.copies("promo_codes", code, firstDue, n, fmt.Sprintf(`'id', n + %d, 'code', '100' || (n + %[1]d), 'owner_id', n + %d, 'source_visit_id', n`, codeAfter, contactAfter))
	d.copies("messages", message, firstDue, n, fmt.Sprintf(`'id', n, 'visit_id', n, 'contact_id', n + %d, 'promo_code_id', n + %d, 'language', 'en',
		'due_at', now() - interval '1 minute'`, contactAfter, codeAfter))
	d.copies("river_job", job, firstDue, n, `'id', n, 'args', jsonb_build_object('message_id', n), 'state', 'scheduled', 'scheduled_at', now() - interval '1 minute'`)
	d.exec(`ANALYZE`)
}

// fates are how many of the due messages are in which state, for which reason.
func (d data) fates() string {
	d.t.Helper()
	return strings.Join(d.rows(`SELECT state || CASE WHEN reason = '' THEN '' ELSE ' (' || reason || ')' END, count(*)
		FROM messages WHERE id >= $1 GROUP BY 1 ORDER BY 1`, firstDue), "; ")
}

// jobs are how many of their jobs are in which state.
func (d data) jobs() string {
	d.t.Helper()
	return strings.Join(d.rows(`SELECT state, count(*), min(scheduled_at), max(scheduled_at) FROM river_job WHERE id >= $1 GROUP BY 1`, firstDue), "; ")
}

// hours are settings by which messages leave around the clock. The last minute
// of a day is none of theirs.
func hours() []string { return []string{"MESSAGE_FROM=00:00", "MESSAGE_UNTIL=23:59"} }

// onPostgres gives the settings of a database of its own, and of a real Redis.
// Without them a test is skipped; in CI it fails, unless the embedded parts are
// its subject.
func onPostgres(t testing.TB) []string {
	t.Helper()
	all := backends(t)
	if len(all) < 2 {
		t.Skip("TEST_DATABASE_URL and TEST_REDIS_URL are not both set")
	}
	return all[1].env(t)
}
