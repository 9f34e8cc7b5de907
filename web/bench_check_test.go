package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
	"prilavok/web/sms"
)

// BenchmarkCheckWrong judges wrong codes over HTTP, with a session, against
// the script alone, and against the script with the rows that a check leaves.
func BenchmarkCheckWrong(b *testing.B) {
	benchCheck(b, "code check, wrong", "wrong", http.StatusUnprocessableEntity,
		func(code string) string { return wrong(code, 1) })
}

// BenchmarkCheckRight is the same with right codes.
func BenchmarkCheckRight(b *testing.B) {
	benchCheck(b, "code check, right", "right", http.StatusSeeOther, func(code string) string { return code })
}

// benchCheck sends a code to every visit, checks each once through the tap,
// and then repeats these checks from the same state: over HTTP, and raw, word
// for word. It knows nothing of the scripts but the name of their verdict.
func benchCheck(b *testing.B, name, verdict string, status int, typed func(code string) string) {
	const ops = 400
	var (
		forms   [ops]string
		scripts [ops]redisCommand
		rows    [ops][]*statement
		asks    asked
		state   *redisState
	)
	visitOf := func(op int) int { return firstVisit + op }
	step := func(op int) string { return fmt.Sprintf("/visits/%d/code", visitOf(op)) }
	location := func(op int) string {
		if status == http.StatusSeeOther {
			return step(op)
		}
		return ""
	}
	p := startBench(b, func(p bench, tap *tap) {
		like := template(p.program, domain.StepCode, "")
		p.visits(idOf(like), firstVisit, ops)
		state = openState(b, p.env)
		q := newQueue(p.program, "anna")
		// Nothing was sent here yet; the script gets known to Redis.
		if err := q.ask(0, http.MethodPost, like+"/code/checks", form("request_id", "first", "code", "0000"), http.StatusUnprocessableEntity, ""); err != nil {
			b.Fatal(err)
		}
		codes := sendCodes(b, q, state.store, step, ops)
		state.keep(b)
		for op := range ops {
			forms[op] = form("request_id", fmt.Sprintf("bench-check-%d", op), "code", typed(codes[phoneOf(visitOf(op))]))
			asks = tap.during(func() {
				if err := q.ask(0, http.MethodPost, step(op)+"/checks", forms[op], status, location(op)); err != nil {
					b.Fatal(err)
				}
			})
			rows[op] = inTx(asks.sql)
			found := slices.DeleteFunc(slices.Clone(asks.redis), func(c redisCommand) bool { return !strings.HasPrefix(strings.ToLower(c[0]), "eval") })
			// A refused check then looks where the code stands, for the screen.
			if len(found) < 1 || len(found) > 2 {
				b.Fatalf("a check runs %d scripts, and the first is to be compared: %q", len(found), found)
			}
			scripts[op] = found[0]
		}
	})
	q := newQueue(p.program, "anna")
	// Redis and the rows go back to where every check was recorded.
	before := func(int) {
		state.restore(b)
		for _, query := range []string{
			`DELETE FROM verifications WHERE visit_id BETWEEN $1 AND $2`,
			`DELETE FROM code_attempts WHERE kind = 'check' AND visit_id BETWEEN $1 AND $2`,
			`UPDATE visits SET verified_at = NULL WHERE id BETWEEN $1 AND $2 AND verified_at IS NOT NULL`,
		} {
			p.exec(query, firstVisit, firstVisit+ops)
		}
	}
	var all []*statement
	for _, r := range rows {
		all = append(all, r...)
	}
	sql := openReplay(b, setting(p.env, "DATABASE_URL"), all)
	raw := rawRedis(b)
	script := func(op int) error {
		reply, err := raw.Do(context.Background(), scripts[op].args()...).Slice()
		if err != nil {
			return err
		}
		// A script that met another state would have gone a shorter way.
		if len(reply) == 0 || reply[0] != verdict {
			return fmt.Errorf("the script alone says %v, want %s", reply, verdict)
		}
		return nil
	}
	contest{
		name: name, ops: ops, asks: asks,
		ours: side{before: before, do: func(caller, _, op int) error {
			return q.ask(caller, http.MethodPost, step(op)+"/checks", forms[op], status, location(op))
		}},
		rivals: []rival{
			{"script", side{before: before, passes: 5, do: func(_, _, op int) error { return script(op) }}},
			{"script and rows", side{before: before, do: func(caller, _, op int) error {
				return errors.Join(script(op), sql.play(caller, rows[op], visitOf(op), visitOf(op)))
			}}},
		},
	}.run(b)
	if got := p.one(`SELECT count(*) FROM code_attempts WHERE kind = 'check' AND verdict = $1 AND visit_id >= $2`, verdict, firstVisit); got != fmt.Sprint(ops) {
		b.Errorf("%s checks are on record after %d", got, ops)
	}
}

// sendCodes sends every visit a code and gives them by phone. The handset
// keeps the newest 200 texts.
func sendCodes(b *testing.B, q *queue, store *redisstore.Store, step func(op int) string, ops int) map[string]string {
	b.Helper()
	codes := map[string]string{}
	for op := range ops {
		if err := q.ask(0, http.MethodPost, step(op)+"/sends", form("request_id", fmt.Sprintf("bench-send-%d", op)), http.StatusSeeOther, step(op)); err != nil {
			b.Fatal(err)
		}
		if op%100 < 99 && op < ops-1 {
			continue
		}
		texts, err := sms.NewHandset(store.Outbox(), time.Now).Texts(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		for _, text := range texts {
			if codes[text.To] == "" {
				codes[text.To] = leadingDigits.FindString(text.Text)
			}
		}
	}
	return codes
}

// inTx are the statements of the only transaction among some.
func inTx(list []*statement) []*statement {
	from := slices.IndexFunc(list, func(s *statement) bool { return s.simple && strings.HasPrefix(s.text, "begin") })
	to := slices.IndexFunc(list, func(s *statement) bool { return s.simple && strings.HasPrefix(s.text, "commit") })
	if from < 0 || to < from {
		return nil
	}
	return list[from : to+1]
}

// rawRedis is a client with a connection for each caller.
func rawRedis(b *testing.B) *redis.Client {
	b.Helper()
	opt, err := redis.ParseURL(os.Getenv("TEST_REDIS_URL"))
	if err != nil {
		b.Fatal("TEST_REDIS_URL is no address")
	}
	opt.PoolSize = callers
	client := redis.NewClient(opt)
	b.Cleanup(func() { _ = client.Close() })
	return client
}

func (c redisCommand) args() []any {
	out := make([]any, len(c))
	for i, a := range c {
		out[i] = a
	}
	return out
}

// redisState is all that a program keeps in Redis, sessions excepted, as it
// was at one moment.
type redisState struct {
	store *redisstore.Store
	kept  map[string]string
	left  map[string]time.Duration
}

func openState(b *testing.B, env []string) *redisState {
	b.Helper()
	store, err := redisstore.Open(b.Context(), redisstore.Options{URL: setting(env, "REDIS_URL"), Prefix: setting(env, "REDIS_PREFIX")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return &redisState{store: store}
}

func (s *redisState) keys(b *testing.B) (keys []string) {
	b.Helper()
	all := s.store.Client().Scan(b.Context(), 0, s.store.Prefix()+"*", 1000).Iterator()
	for all.Next(b.Context()) {
		if !strings.HasPrefix(all.Val(), s.store.Prefix()+"session:") {
			keys = append(keys, all.Val())
		}
	}
	if err := all.Err(); err != nil {
		b.Fatal(err)
	}
	return keys
}

// keep remembers the moment.
func (s *redisState) keep(b *testing.B) {
	b.Helper()
	s.kept, s.left = map[string]string{}, map[string]time.Duration{}
	for _, key := range s.keys(b) {
		value, err := s.store.Client().Dump(b.Context(), key).Result()
		if err != nil {
			b.Fatal(err)
		}
		left, err := s.store.Client().PTTL(b.Context(), key).Result()
		if err != nil {
			b.Fatal(err)
		}
		s.kept[key], s.left[key] = value, max(0, left)
	}
}

// restore goes back to it.
func (s *redisState) restore(b *testing.B) {
	b.Helper()
	gone := s.keys(b)
	_, err := s.store.Client().Pipelined(b.Context(), func(p redis.Pipeliner) error {
		if len(gone) > 0 {
			p.Del(b.Context(), gone...)
		}
		for key, value := range s.kept {
			p.RestoreReplace(b.Context(), key, s.left[key], value)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
