package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"prilavok/domain"
)

// buildProgram gives the program as a file of its own, which can be killed.
func buildProgram(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "prilavok")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil { //nolint:noctx // ends by itself
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// launchProgram starts it in a process of its own; kill ends that at once.
func launchProgram(t *testing.T, binary string, env []string) (p *program, kill func()) {
	t.Helper()
	p = &program{t: t, out: newOutput()}
	cmd := exec.Command(binary) //nolint:noctx // killed below
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), t.TempDir(), p.out, p.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	kill = sync.OnceFunc(func() { _ = cmd.Process.Signal(syscall.SIGKILL); <-gone })
	t.Cleanup(kill)
	select {
	case p.URL = <-p.out.ready:
	case <-gone:
		t.Fatalf("the program ended\n%s", p.out)
	}
	return p, kill
}

// The program is killed while codes are typed at four tills at once. What
// Redis has counted by then is on record, whoever had an answer or not; the
// check finds nothing, and the right code still verifies.
func TestKilledAmidChecks(t *testing.T) {
	t.Parallel()
	env := append(onPostgres(t), "ADDR=127.0.0.1:"+freePorts(t, 1)[0], "DEMO_PASSWORD="+demoPassword, "SECRET_KEY="+strings.Repeat("k", 32),
		"CODE_TRIES=5", "CODE_TRIES_PER_DAY=50", "CODE_LOCK_AFTER=50", "CODE_TRIES_PER_ADVISOR=1000", "CODE_TRIES_PER_STORE=10000", "CODE_SENDS_PER_PHONE=50")
	binary := buildProgram(t)
	db := openData(t, env)
	const tills, answersBeforeKill = 4, 6
	verified := 0
	for round := range 3 {
		p, kill := launchProgram(t, binary, env)
		var answered atomic.Int64
		enough := make(chan struct{})
		var tell sync.Once
		type till struct {
			*client
			step, code string
		}
		var all []till
		for i := range tills {
			c, phone := inspect(p.as([]string{"anna", "timur"}[i%2])), fmt.Sprintf("+7916570%d%03d", round, i)
			visit := c.walk(p, customer{phone: phone}, domain.StepCode)
			c.sendCode(visit)
			all = append(all, till{c, visit + "/code", p.codes(phone)[0]})
		}
		var guessing sync.WaitGroup
		for _, till := range all {
			form := till.screen(till.get(till.step)).form(till.step + "/checks")
			guessing.Go(func() {
				for n := 0; ; n++ {
					again := withFields(form, "code", wrong(till.code, 1), "request_id", fmt.Sprintf("guess-%d-%d-of-%s", round, n, till.step))
					req, err := http.NewRequest(http.MethodPost, till.base+till.step+"/checks", strings.NewReader(again)) //nolint:noctx // ends with the program
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					res, err := till.http.Do(req)
					if err != nil {
						return // the program is gone
					}
					_ = res.Body.Close()
					if answered.Add(1) >= answersBeforeKill {
						tell.Do(func() { close(enough) })
					}
				}
			})
		}
		<-enough
		kill()
		guessing.Wait()
		t.Logf("round %d: %d answers, then killed; on record as asked: %s", round, answered.Load(), db.one(`SELECT count(*) FROM code_attempts WHERE verdict = 'asked'`))
		var out strings.Builder
		if err := check(t.Context(), env, &out); err != nil {
			t.Errorf("round %d: %v\n%s", round, err, out.String())
		}
		p, kill = launchProgram(t, binary, env)
		for _, till := range all {
			till.base = p.URL // signed in as before
			visit := strings.TrimSuffix(till.step, "/code")
			// Five wrong codes use a challenge up, and those of a till may have been as many.
			if a := till.get(till.step); strings.Contains(a.Body, till.step+"/checks") {
				till.send(till.step, till.step+"/checks", "code", till.code)
				if db.one(`SELECT count(*) FROM visits WHERE verified_at IS NOT NULL AND id = `+idOf(visit)) != "1" {
					t.Errorf("round %d: the right code verifies nothing", round)
				}
				verified++
			}
		}
		out.Reset()
		if err := check(t.Context(), env, &out); err != nil {
			t.Errorf("round %d, after the restart: %v\n%s", round, err, out.String())
		}
		kill()
	}
	if verified == 0 {
		t.Error("no till could type its code after a kill; the test shows half of it")
	}
}
