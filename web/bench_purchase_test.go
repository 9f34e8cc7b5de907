package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"prilavok/domain"
)

// BenchmarkPurchase sells with a held promo code over HTTP, with a session,
// against the same statements raw. The raw ones are those that the tap has
// seen, word for word and with the parameters of another customer, so the two
// cannot drift apart.
func BenchmarkPurchase(b *testing.B) {
	const ops = 200
	var like, hold, form string
	var asks asked
	p := startBench(b, func(p bench, tap *tap) {
		visit := template(p.program, domain.StepOutcome, p.promoCode())
		like = idOf(visit)
		hold = p.one(`SELECT id FROM redemptions WHERE visit_id = $1 AND state = 'held'`, like)
		anna := p.as("anna")
		values := anna.screen(anna.get(visit + "/outcome")).form(visit + "/outcome")
		values.Set("outcome", "purchase")
		values.Set("product", "1")
		form = values.Encode()
		for _, name := range []string{"promo_codes", "messages", "visit_events"} {
			p.exec(`ALTER TABLE ` + name + ` ALTER COLUMN id RESTART WITH ` + strconv.Itoa(idsAfterAll))
		}
		p.sales(like, hold, firstVisit-10, 3)
		buy := func(visit int) asked {
			return tap.during(func() {
				anna.goesTo(anna.do(http.MethodPost, fmt.Sprintf("/visits/%d/outcome", visit), nil, form), fmt.Sprintf("/visits/%d/summary", visit))
			})
		}
		buy(firstVisit - 10) // plans get made
		asks = buy(firstVisit - 9)
		if again := buy(firstVisit - 8); !slices.Equal(texts(asks), texts(again)) {
			b.Fatalf("two purchases ask differently:\n%s\n\n%s", strings.Join(texts(asks), "\n"), strings.Join(texts(again), "\n"))
		}
	})
	q := newQueue(p.program, "anna")
	raw := openReplay(b, setting(p.env, "DATABASE_URL"), asks.sql)
	contest{
		name: "purchase", ops: ops, asks: asks,
		ours: side{
			before: func(pass int) { p.sales(like, hold, firstVisit+pass*ops, ops) },
			do: func(caller, pass, op int) error {
				visit := fmt.Sprintf("/visits/%d", firstVisit+pass*ops+op)
				return q.ask(caller, http.MethodPost, visit+"/outcome", form, http.StatusSeeOther, visit+"/summary")
			},
		},
		rivals: []rival{{"SQL", side{
			before: func(pass int) { p.sales(like, hold, firstRaw+pass*ops, ops) },
			do: func(caller, pass, op int) error {
				return raw.play(caller, asks.sql, firstVisit-9, firstRaw+pass*ops+op)
			},
		}}},
	}.run(b)

	// Both have really sold, and left the same behind.
	for _, query := range []string{
		`SELECT count(*) FROM visits WHERE outcome = 'purchase' AND discount > 0 AND id BETWEEN $1 AND $2`,
		`SELECT count(*) FROM redemptions WHERE state = 'confirmed' AND visit_id BETWEEN $1 AND $2`,
		`SELECT count(*) FROM promo_codes WHERE source_visit_id BETWEEN $1 AND $2 AND id >= 7000000`,
		`SELECT count(*) FROM visit_events WHERE kind = 'outcome' AND visit_id BETWEEN $1 AND $2`,
		`SELECT count(*) FROM messages m JOIN promo_codes c ON c.id = m.promo_code_id AND c.source_visit_id = m.visit_id
			JOIN river_job j ON j.kind = 'send_message' AND j.args::text LIKE '%' || m.id || '%' WHERE m.visit_id BETWEEN $1 AND $2`,
	} {
		want := strconv.Itoa((b.N + 1) * ops)
		for _, first := range []int{firstVisit, firstRaw} {
			if got := p.one(query, first, first+400_000); got != want {
				b.Errorf("from %d: %s: %s, want %s", first, query, got, want)
			}
		}
	}
}

// sales makes visits that stand at their outcome and hold a code each, of an
// owner each.
func (d data) sales(like, hold string, first, ops int) {
	d.t.Helper()
	code := d.one(`SELECT promo_code_id FROM redemptions WHERE id = $1`, hold)
	owner := d.one(`SELECT owner_id FROM promo_codes WHERE id = $1`, code)
	d.visits(like, first, ops)
	d.copies("contacts", owner, first, ops, fmt.Sprintf(`'id', n + %d, 'phone', '+7916' || (n + %[1]d), 'page_token', ''`, ownerAfter))
	d.copies("promo_codes", code, first, ops, fmt.Sprintf(`'id', n + %d, 'code', '100' || (n + %[1]d), 'owner_id', n + %d`, codeAfter, ownerAfter))
	d.copies("redemptions", hold, first, ops, fmt.Sprintf(`'id', n + %d, 'promo_code_id', n + %d, 'visit_id', n,
		'friend_id', n + %d, 'friend_phone', '+7916' || (n + %[3]d)`, holdAfter, codeAfter, contactAfter))
	d.exec(`ANALYZE`) // as on a database that has been used for a while
}

func texts(a asked) (out []string) {
	for _, s := range a.sql {
		out = append(out, s.text)
	}
	return out
}

// replay asks PostgreSQL again what was recorded.
type replay struct {
	conns []*pgx.Conn
	names map[string]string // of prepared statements, by text
}

// drawn counts the promo codes that were made up here.
var drawn atomic.Int64

// openReplay opens a connection for each caller and prepares every statement
// on it, as the program's own connections have them.
func openReplay(b *testing.B, address string, list []*statement) *replay {
	b.Helper()
	r := &replay{names: map[string]string{}}
	for _, s := range list {
		if !s.simple && r.names[s.text] == "" {
			r.names[s.text] = fmt.Sprintf("bench%d", len(r.names))
		}
	}
	for range callers {
		conn, err := pgx.Connect(b.Context(), address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close(context.Background()) })
		for text, name := range r.names {
			if _, err := conn.PgConn().Prepare(b.Context(), name, text, nil); err != nil {
				b.Fatalf("prepare %s: %v", text, err)
			}
		}
		r.conns = append(r.conns, conn)
	}
	return r
}

// play sends what was recorded of one visit with the ids of another. What a
// statement gives back, the id of a new row, goes into those after it.
func (r *replay) play(caller int, list []*statement, recorded, visit int) error {
	ctx, conn := context.Background(), r.conns[caller].PgConn()
	swaps := []swap{}
	for _, after := range []int{0, contactAfter, ownerAfter, codeAfter, holdAfter} {
		swaps = append(swaps, swapOf(recorded+after, visit+after))
	}
	for _, s := range list {
		if s.simple {
			if _, err := conn.Exec(ctx, s.text).ReadAll(); err != nil {
				return err
			}
			continue
		}
		params := make([][]byte, len(s.params))
		for i, p := range s.params {
			params[i] = changed(p, swaps)
		}
		res := conn.ExecPrepared(ctx, r.names[s.text], params, s.formats, s.results).Read()
		if res.Err != nil {
			return fmt.Errorf("%s: %w", s.text, res.Err)
		}
		if (s.first == nil) != (len(res.Rows) == 0) {
			return errors.Join(conn.Close(ctx), fmt.Errorf("%s: %d rows, and it was otherwise when it was recorded", s.text, len(res.Rows)))
		}
		if len(s.first) == 1 && len(s.first[0]) == 8 && binary.BigEndian.Uint64(s.first[0]) >= idsAfterAll {
			swaps = append(swaps, swapOf(int(binary.BigEndian.Uint64(s.first[0])), int(binary.BigEndian.Uint64(res.Rows[0][0]))))
		}
	}
	return nil
}

// swap is one id in the place of another, in binary and written out.
type swap struct{ from, to, fromText, toText []byte }

func swapOf(from, to int) swap {
	binaryOf := func(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	return swap{binaryOf(from), binaryOf(to), []byte(strconv.Itoa(from)), []byte(strconv.Itoa(to))}
}

var tenDigits = regexp.MustCompile(`^\d{10}$`)

// changed gives a parameter with other ids. Ten digits are a new promo code,
// of which there can be only one.
func changed(p []byte, swaps []swap) []byte {
	if tenDigits.Match(p) {
		return fmt.Appendf(nil, "9%09d", drawn.Add(1))
	}
	for _, s := range swaps {
		if bytes.Equal(p, s.from) {
			return s.to
		}
	}
	for _, s := range swaps {
		// Both have seven digits, so lengths that stand before them stay true.
		if bytes.Contains(p, s.fromText) {
			p = bytes.ReplaceAll(p, s.fromText, s.toText)
		}
	}
	return p
}
