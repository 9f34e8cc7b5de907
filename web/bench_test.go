package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"prilavok/domain"
)

// The benchmarks measure ours and the raw limit in turn, in the same process
// and with the same number of callers and connections, so that whatever else
// the machine does meets both. They assert no time. `task bench` runs them
// once and prints the table.

// callers is how many ask at the same time, on either side, each with a
// connection of its own.
const callers = 8

// bench is a running program with what a benchmark needs beside it.
type bench struct {
	*program
	data
	env []string
}

// startBench starts the program on PostgreSQL and a real Redis, with limits
// that are out of the way, and calls look with one that is tapped before.
// Both have the same data.
func startBench(b *testing.B, look func(p bench, tap *tap)) bench {
	b.Helper()
	if os.Getenv("TEST_DATABASE_URL") == "" || os.Getenv("TEST_REDIS_URL") == "" {
		skipped = "skipped: TEST_DATABASE_URL and TEST_REDIS_URL are not both set"
		b.Skip(skipped)
	}
	all := backends(b)
	env := append(all[len(all)-1].env(b),
		"CODE_LIFETIME=1h", "CODE_TRIES_PER_ADVISOR=1000", "CODE_TRIES_PER_STORE=10000",
		"CODE_SENDS_PER_ADVISOR=10000", "CODE_SENDS_PER_ADDRESS=100000", "PROMO_HOLD=2h")
	db := openData(b, env)
	tap, tapped := newTap(b, env)
	p := start(b, tapped...)
	look(bench{p, db, env}, tap)
	if err := p.stop(); err != nil {
		b.Fatal(err)
	}
	narrow := append([]string{}, env...)
	for i, line := range narrow {
		if strings.HasPrefix(line, "DATABASE_URL=") {
			narrow[i] += fmt.Sprintf("&pool_max_conns=%d", callers)
		}
	}
	return bench{start(b, narrow...), db, env}
}

// queue sends requests as fast as they are answered, each caller with a session
// of its own.
type queue struct {
	base     string
	http     *http.Client
	sessions []string
	gzip     bool
}

func newQueue(p *program, login string) *queue {
	p.t.Helper()
	q := &queue{base: p.URL, gzip: true, http: &http.Client{
		// What is compressed stays so: unpacking is the browser's work.
		Transport:     &http.Transport{MaxIdleConnsPerHost: callers, MaxConnsPerHost: callers, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	p.t.Cleanup(q.http.CloseIdleConnections)
	base, err := url.Parse(p.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	for range callers {
		for _, c := range p.as(login).http.Jar.Cookies(base) {
			if c.Name == sessionCookie {
				q.sessions = append(q.sessions, c.Name+"="+c.Value)
			}
		}
	}
	return q
}

// ask sends one request and fails unless it is answered as it must be.
func (q *queue) ask(caller int, method, path, form string, status int, location string) error {
	req, err := http.NewRequestWithContext(context.Background(), method, q.base+path, strings.NewReader(form))
	if err != nil {
		return err
	}
	if len(q.sessions) > 0 {
		req.Header.Set("Cookie", q.sessions[caller])
	}
	if q.gzip {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := q.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if to := res.Header.Get("Location"); res.StatusCode != status || to != location {
		return fmt.Errorf("%s %s: %d → %q, want %d → %q", method, path, res.StatusCode, to, status, location)
	}
	return nil
}

// side is one of the two that are measured. do carries out an operation of a
// pass; before is called, untimed, before each pass.
type side struct {
	before func(pass int)
	do     func(caller, pass, op int) error
	passes int // in one round; 0 is one
}

// rival is a raw limit.
type rival struct {
	name string
	side
}

// contest measures ours against its rivals, a round of each in turn. An
// operation of the benchmark is such a round.
type contest struct {
	name   string
	ops    int // in one pass
	ours   side
	rivals []rival
	asks   asked // by one request of ours
}

func (c contest) run(b *testing.B) {
	b.Helper()
	sides := []side{c.ours}
	for _, r := range c.rivals {
		sides = append(sides, r.side)
	}
	rates, took := make([][]float64, len(sides)), make([][]time.Duration, len(sides))
	done := make([]int, len(sides)) // passes
	round := func(i int) (rate float64, each []time.Duration) {
		s, spent := sides[i], time.Duration(0)
		for range max(1, s.passes) {
			pass := done[i]
			done[i]++
			if s.before != nil {
				s.before(pass)
			}
			whole, all := share(b, c.ops, func(caller, op int) error { return s.do(caller, pass, op) })
			spent += whole
			each = append(each, all...)
		}
		return float64(len(each)) / spent.Seconds(), each
	}
	for i := range sides {
		round(i) // connections, plans and caches get warm
	}
	for n := 0; b.Loop(); n++ {
		for i := range sides {
			if n%2 == 1 {
				i = len(sides) - 1 - i // whoever comes second meets what the first one left behind
			}
			rate, each := round(i)
			rates[i], took[i] = append(rates[i], rate), append(took[i], each...)
		}
	}
	b.ReportMetric(0, "ns/op") // of a round: it says nothing
	for i, r := range c.rivals {
		ratios := make([]float64, len(rates[0]))
		for n := range ratios {
			ratios[n] = rates[0][n] / rates[i+1][n]
		}
		l := line{
			name: c.name, rival: r.name, asks: c.asks,
			ours: middle(rates[0]), raw: middle(rates[i+1]), ratio: middle(ratios),
			p95: p95(took[0]), rawP95: p95(took[i+1]),
		}
		table = append(table, l)
		unit := ""
		if i > 0 {
			unit = "-" + strings.ReplaceAll(r.name, " ", "-")
		}
		b.ReportMetric(l.ratio, "of-raw"+unit)
		b.ReportMetric(l.ours, "ops/s")
		b.ReportMetric(l.raw, "raw-ops/s"+unit)
		b.ReportMetric(l.p95, "p95-ms")
		b.ReportMetric(l.rawP95, "raw-p95-ms"+unit)
	}
}

// share lets the callers share a number of operations and gives the time
// of all and of each.
func share(b *testing.B, ops int, do func(caller, op int) error) (whole time.Duration, each []time.Duration) {
	b.Helper()
	each = make([]time.Duration, ops)
	var (
		next   atomic.Int64
		wg     sync.WaitGroup
		failed atomic.Pointer[error]
	)
	begin := time.Now()
	for caller := range callers {
		wg.Go(func() {
			for failed.Load() == nil {
				op := int(next.Add(1)) - 1
				if op >= ops {
					return
				}
				start := time.Now()
				if err := do(caller, op); err != nil {
					failed.Store(&err)
				}
				each[op] = time.Since(start)
			}
		})
	}
	wg.Wait()
	whole = time.Since(begin)
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return whole, each
}

func middle(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// p95 is in milliseconds.
func p95(of []time.Duration) float64 {
	of = slices.Sorted(slices.Values(of))
	return float64(of[len(of)*95/100].Microseconds()) / 1000
}

// line is one of the table.
type line struct {
	name, rival                   string
	ours, raw, ratio, p95, rawP95 float64
	asks                          asked
}

var (
	table []line
	notes []string // of what is no race between two sides
)

// skipped is why nothing was measured: go test keeps the words of a skipped
// benchmark to itself.
var skipped string

// printTable shows what was measured, at the end of all benchmarks.
func printTable(out io.Writer) {
	if skipped != "" {
		say(out, "%s\n", skipped)
	}
	for _, note := range notes {
		say(out, "\n%s\n\n", note)
	}
	if len(table) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(w, "\nours\traw\tours/s\traw/s\tof-raw\tp95 ms\traw p95 ms\tSQL\tRedis\n")
	for _, l := range table {
		say(w, "%s\t%s\t%.0f\t%.0f\t%.3f\t%.2f\t%.2f\t%d\t%d\n",
			l.name, l.rival, l.ours, l.raw, l.ratio, l.p95, l.rawP95, l.asks.sqlTrips, l.asks.redisTrips)
	}
	_ = w.Flush()
	say(out, "\n%d callers and connections on either side; medians of rounds that took turns; SQL, Redis: round trips of one request\n\n", callers)
}

// A customer of the benchmarks is known by one number of seven digits, from
// which every other id and the phone follow: what is recorded of one can be
// said of another by changing digits.
const (
	firstVisit   = 1_000_000 // ours
	firstRaw     = 1_500_000
	contactAfter = 1_000_000
	ownerAfter   = 2_000_000
	codeAfter    = 3_000_000
	holdAfter    = 4_000_000
	idsAfterAll  = 7_000_000 // what the program itself adds has ids from here
)

// copies makes rows out of one that the program itself has written: the same
// but for what changes says, an SQL list of names and values over n, the
// visit's number.
func (d data) copies(table string, id any, first, ops int, changes string) {
	d.t.Helper()
	d.exec(`INSERT INTO `+table+` OVERRIDING SYSTEM VALUE
		SELECT r.* FROM generate_series($1::bigint, $2::bigint) n, `+table+` x,
			LATERAL jsonb_populate_record(NULL::`+table+`, to_jsonb(x) || jsonb_build_object(`+changes+`)) r
		WHERE x.id::text = $3`, first, first+ops-1, fmt.Sprint(id))
}

// visits makes visits like a given one, each with a contact of its own.
func (d data) visits(like string, first, ops int) {
	d.t.Helper()
	contact := d.one(`SELECT contact_id FROM visits WHERE id = $1`, like)
	d.copies("contacts", contact, first, ops, fmt.Sprintf(`'id', n + %d, 'phone', '+7916' || (n + %[1]d), 'page_token', ''`, contactAfter))
	d.copies("visits", like, first, ops, fmt.Sprintf(`'id', n, 'request_id', 'bench-' || n, 'self_token', 'bench-' || n, 'contact_id', n + %d`, contactAfter))
}

func phoneOf(visit int) string { return fmt.Sprintf("+7916%d", visit+contactAfter) }

// template walks one visit through the screens until a step.
func template(p *program, until domain.Step, promo string) string {
	p.t.Helper()
	return p.as("anna").walk(p, customer{phone: "+79169999999", promo: promo}, until)
}
