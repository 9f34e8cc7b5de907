package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
)

// answersAfter is how long the gateway takes for an answer.
const answersAfter = 50 * time.Millisecond

// number reads a number from the environment.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// slowGateway speaks Kannel's HTTP form and answers after 50 ms. It never
// reports a delivery: what is measured is sending.
type slowGateway struct {
	*httptest.Server
	mu    sync.Mutex
	taken map[string]int // texts by phone
	mass  atomic.Int64
	first atomic.Int64 // when the first programme message came, Unix ns
	last  atomic.Int64
}

func newSlowGateway(b *testing.B) *slowGateway {
	b.Helper()
	g := &slowGateway{taken: map[string]int{}}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(answersAfter)
		defer timer.Stop()
		query := r.URL.Query()
		// The demo's own message may leave as well, to a number of another kind.
		own, due := strings.CutPrefix(query.Get("to"), "7916")
		if to, _ := strconv.Atoi(own); due && query.Get("priority") == "" && to >= firstDue+contactAfter {
			now := time.Now().UnixNano()
			g.first.CompareAndSwap(0, now)
			g.last.Store(now)
			g.mu.Lock()
			g.taken[query.Get("to")]++
			g.mu.Unlock()
			g.mass.Add(1)
		}
		<-timer.C
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("0: Accepted for delivery"))
	}))
	b.Cleanup(g.Close)
	return g
}

// BenchmarkDrain sends many due messages through the real worker into a gateway
// that answers in 50 ms, as fast as the settings allow, and sends codes
// meanwhile. DRAIN says how many messages, 100,000 unless it does, and
// DRAIN_RATE how many a second the settings allow: 300 leave something of two
// cores on which PostgreSQL and the gateway run as well.
func BenchmarkDrain(b *testing.B) {
	count, limit := number("DRAIN", 100_000), number("DRAIN_RATE", 300)
	if os.Getenv("TEST_DATABASE_URL") == "" || os.Getenv("TEST_REDIS_URL") == "" {
		skipped = "skipped: TEST_DATABASE_URL and TEST_REDIS_URL are not both set"
		b.Skip(skipped)
	}
	all := backends(b)
	env := append(all[len(all)-1].env(b), "CODE_SENDS_PER_ADVISOR=10000", "CODE_SENDS_PER_ADDRESS=100000", "LOG_LEVEL=warn")
	db := openData(b, env)
	p := start(b, env...)
	like := template(p, domain.StepCode, "")
	db.visits(idOf(like), firstVisit-warming, warming+2*codesAsked)
	db.due(p, count)
	gateway := newSlowGateway(b)
	env = slices.Concat(env, hours(), []string{
		"SMS_GATEWAYS=kannel", "KANNEL_URL=" + gateway.URL, "KANNEL_USER=u", "KANNEL_PASSWORD=p", "KANNEL_FROM=Shop",
		"KANNEL_RATE=" + strconv.Itoa(limit),
	})
	for b.Loop() {
		// The queue stands still while codes are sent into the quiet.
		db.exec(`INSERT INTO river_queue (name, paused_at, created_at, updated_at) VALUES ('messages', now(), now(), now())
			ON CONFLICT (name) DO UPDATE SET paused_at = now()`)
		p = start(b, env...)
		// What River does when their time has come is no part of the quiet.
		come := time.Now()
		until(b, "all jobs stand ready", func() bool {
			return len(db.rows(`SELECT 1 FROM river_job WHERE state = 'scheduled' AND id >= $1 LIMIT 1`, firstDue)) == 0
		})
		notes = append(notes, fmt.Sprintf("River had %d jobs whose time had come ready after %.1f s, of which it waits up to 5 s before it looks", count, time.Since(come).Seconds()))
		q := newQueue(p, "anna")
		askCodes(b, q, firstVisit-warming, warming, codePause)
		idle := askCodes(b, q, firstVisit, codesAsked, codePause)
		if n := gateway.mass.Load(); n > 0 {
			b.Fatalf("%d messages left while the queue stood still", n)
		}
		if err := p.stop(); err != nil {
			b.Fatal(err)
		}
		db.exec(`UPDATE river_queue SET paused_at = NULL`)
		p = start(b, env...)
		q = newQueue(p, "anna")
		begun := count / 50
		until(b, "the drain has begun", func() bool { return int(gateway.mass.Load()) >= begun })
		busy := askCodes(b, q, firstVisit+codesAsked, codesAsked, codePause)
		if int(gateway.mass.Load()) >= count {
			b.Fatal("the drain was over before the codes were sent: DRAIN is too small")
		}
		deadline := time.After(4*time.Duration(count/limit)*time.Second + time.Minute)
		for db.one(`SELECT count(*) FROM messages WHERE id >= $1 AND state IN ('scheduled', 'sending')`, firstDue) != "0" {
			select {
			case <-time.After(time.Second):
			case <-deadline:
				b.Fatalf("no end: %s", db.fates())
			}
		}
		took := time.Duration(gateway.last.Load() - gateway.first.Load())
		rate := float64(count-1) / took.Seconds()
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rate, "messages/s")
		b.ReportMetric(rate/float64(limit), "of-limit")
		b.ReportMetric(p99(idle), "idle-p99-ms")
		b.ReportMetric(p99(busy), "p99-ms")
		b.ReportMetric(p99(busy)/p99(idle), "p99-vs-idle")
		notes = append(notes, fmt.Sprintf("%d due messages at %d/s at most: %.1f/s, %.3f of the limit; sending a code: p50 %.1f ms idle, %.1f ms meanwhile; p99 %.1f ms idle, %.1f ms meanwhile, ratio %.2f",
			count, limit, rate, rate/float64(limit), middleOf(idle), middleOf(busy), p99(idle), p99(busy), p99(busy)/p99(idle)))
		for phone, n := range gateway.taken {
			if n != 1 {
				b.Fatalf("%s got %d messages", phone, n)
			}
		}
		if len(gateway.taken) != count {
			b.Errorf("%d of %d messages came to the gateway", len(gateway.taken), count)
		}
		if got, want := db.fates(), fmt.Sprintf("accepted | %d", count); got != want {
			b.Errorf("fates: %s, want %s", got, want)
		}
	}
}

const (
	// codesAsked is how many codes are sent on either side: a percent of them
	// are twenty.
	codesAsked = 2000
	// warming is how many are sent first, for plans and connections to get warm.
	warming = 200
	// codePause is the time between two codes, of all advisors together.
	codePause = 20 * time.Millisecond
)

// askCodes sends codes to visits one after another, one each pause, as many at
// a time as it takes, and gives how long each took.
func askCodes(b *testing.B, q *queue, first, n int, pause time.Duration) []time.Duration {
	b.Helper()
	each := make([]time.Duration, n)
	var (
		wg     sync.WaitGroup
		failed atomic.Pointer[error]
	)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for op := range n {
		<-tick.C
		wg.Go(func() {
			step := fmt.Sprintf("/visits/%d/code", first+op)
			begin := time.Now()
			err := q.ask(op%callers, http.MethodPost, step+"/sends", form("request_id", fmt.Sprintf("drain-%d", first+op)), http.StatusSeeOther, step)
			each[op] = time.Since(begin)
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	return each
}

// p99 is in milliseconds.
func p99(of []time.Duration) float64 {
	of = slices.Sorted(slices.Values(of))
	return float64(of[len(of)*99/100].Microseconds()) / 1000
}

// middleOf is the median in milliseconds.
func middleOf(of []time.Duration) float64 {
	of = slices.Sorted(slices.Values(of))
	return float64(of[len(of)/2].Microseconds()) / 1000
}
