package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The program is killed again and again while it sends messages through a real
// gateway: three times over a thousand of them, with SOAK ten times over ten
// thousand. Every message reaches the gateway at most once, and has an end that
// is on record.
func TestKilledWhileSending(t *testing.T) {
	t.Parallel()
	messages, kills := 1000, 3
	if os.Getenv("SOAK") != "" {
		messages, kills = 10_000, 10
	}
	env := onPostgres(t)
	site := "127.0.0.1:" + freePorts(t, 1)[0]
	secret := strings.Repeat("k", 32)
	_, incoming := callbacks("http://"+site, secret)
	k := newRealKannel(t, incoming)
	binary := buildProgram(t)
	p := start(t, append(env, "SECRET_KEY="+secret)...)
	db := openData(t, env)
	db.due(p, messages)
	k.start()

	env = slices.Concat(env, k.env(), hours(), []string{
		"ADDR=" + site, "SECRET_KEY=" + secret, "KANNEL_RATE=400", "KANNEL_PART_PRICE=250", "MESSAGE_REPORT_WITHIN=1m", "LOG_LEVEL=warn",
	})
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("output of the program, its end:\n%s", text[max(0, len(text)-20_000):])
		}
	})
	launch := func() *exec.Cmd {
		cmd := exec.Command(binary) //nolint:noctx // killed below
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), t.TempDir(), log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("KILL_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("KILL_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test that can be repeated
	at := make([]int, kills)
	for i := range at {
		at[i] = 1 + random.IntN(messages*95/100)
	}
	slices.Sort(at)
	began := time.Now()
	for i, n := range at {
		cmd := launch()
		// Later kills may find more messages than they asked for; then they come
		// while the program starts.
		k.await(n, db.fates, db.jobs)
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		got, _ := k.count()
		t.Logf("kill %d after %d texts, %.1f s: %s", i+1, got, time.Since(began).Seconds(), db.fates())
	}
	cmd := launch()
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	waiting := `SELECT (SELECT count(*) FROM messages WHERE id >= $1 AND state IN ('scheduled', 'sending', 'accepted')) +
		(SELECT count(*) FROM river_job WHERE kind = 'send_message' AND id >= $1 AND state <> 'completed')`
	for deadline := time.Now().Add(8 * time.Minute); db.one(waiting, firstDue) != "0"; {
		if time.Now().After(deadline) {
			t.Fatalf("no end: %s; jobs: %s", db.fates(), db.jobs())
		}
		<-time.After(time.Second)
	}
	t.Logf("all have an end after %.1f s: %s", time.Since(began).Seconds(), db.fates())

	times := map[string]int{}
	k.mu.Lock()
	for _, p := range k.got {
		times[p.to+" "+p.text]++
	}
	k.mu.Unlock()
	twice := 0
	for _, n := range times {
		if n > 1 {
			twice++
		}
	}
	got, _ := k.count()
	t.Logf("texts at the operator: %d, different ones: %d, more than once: %d", got, len(times), twice)
	if twice > 0 {
		t.Errorf("%d messages were sent more than once", twice)
	}
	states := map[string]int{}
	for _, row := range db.rows(`SELECT c.phone, m.body, m.state, m.reason, m.price FROM messages m JOIN contacts c ON c.id = m.contact_id WHERE m.id >= $1`, firstDue) {
		col := strings.Split(row, " | ")
		arrived := times[digits(col[0])+" "+col[1]] > 0
		states[col[2]]++
		switch {
		case col[2] == "delivered" && !arrived:
			t.Errorf("delivered and never sent: %s", row)
		case col[2] == "unknown" && col[3] == "":
			t.Errorf("unknown without a reason: %s", row)
		case col[2] != "delivered" && col[2] != "unknown":
			t.Errorf("an end that nothing has caused: %s", row)
		case col[2] == "delivered" && col[4] != "250":
			t.Errorf("a text of another price: %s", row)
		}
	}
	if sum := states["delivered"] + states["unknown"]; sum != messages {
		t.Errorf("%d messages have an end, want %d", sum, messages)
	}
	// What died with its program: not more than was on its way each time.
	if most := (kills + 1) * messageWorkers; states["unknown"] > most {
		t.Errorf("%d messages are unknown, at most %d could be on their way", states["unknown"], most)
	}
	if n := db.one(`SELECT count(*) FROM river_job WHERE unique_key IS NOT NULL`); n != "0" {
		t.Errorf("%s jobs are unique, which makes messages wait that come back at once; see every", n)
	}
	var out strings.Builder
	if err := check(t.Context(), env, &out); err != nil {
		t.Errorf("check: %v\n%s", err, out.String())
	}
}
