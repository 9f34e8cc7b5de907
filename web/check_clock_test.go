package main

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// check runs on a machine whose clock is wrong, beside a Redis whose clock is
// right. Half of the wrong codes are too old for the day's limits: with a clock
// that is behind they would seem to be missing in Redis, and with one that is
// far ahead nothing would seem to matter, a row that is gone neither.
func TestCheckWithAWrongClock(t *testing.T) {
	t.Parallel()
	env := onPostgres(t)
	p := start(t, env...)
	db := openData(t, env)
	anna := inspect(p.as("anna"))
	visit := anna.walk(p, customer{phone: "+79165660001"}, domain.StepCode)
	anna.sendCode(visit)
	step := visit + "/code"
	guess := func() { anna.send(step, step+"/checks", "code", wrong(p.codes("+79165660001")[0], 1)) }
	guess()
	db.exec(`UPDATE code_attempts SET at = at - interval '30 hours'`)
	// Redis is filled from the rows as they are now, and counts one more.
	options, err := redis.ParseURL(setting(env, "REDIS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	all, err := client.Keys(t.Context(), setting(env, "REDIS_PREFIX")+"pc:*").Result()
	if err == nil {
		err = client.Del(t.Context(), all...).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	anna.sendCode(visit)
	guess()

	clocks := map[string]time.Duration{"right": 0, "25 hours behind": -25 * time.Hour, "25 hours ahead": 25 * time.Hour, "a year ahead": 365 * 24 * time.Hour}
	run := func(ahead time.Duration) (string, error) {
		var out strings.Builder
		err := checkBy(t.Context(), env, &out, func() time.Time { return time.Now().Add(ahead) })
		return out.String(), err
	}
	for name, ahead := range clocks {
		if out, err := run(ahead); err != nil {
			t.Errorf("nothing is wrong, and with the clock %s: %v\n%s", name, err, out)
		}
	}
	db.exec(`DELETE FROM code_attempts WHERE id = (SELECT max(id) FROM code_attempts WHERE verdict = 'wrong')`)
	truth, err := run(0)
	if err == nil {
		t.Fatal("a row is gone, and nothing is found")
	}
	for name, ahead := range clocks {
		if out, err := run(ahead); err == nil || out != truth {
			t.Errorf("a row is gone, and with the clock %s: %v\n%s\nwith a right one:\n%s", name, err, out, truth)
		}
	}
}
