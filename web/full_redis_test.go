package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

// ageSessions brings every session near its end, so that each request has
// reason to prolong it.
func (r *ownRedis) ageSessions() {
	r.t.Helper()
	keys, err := r.admin.Keys(r.t.Context(), "*session:*").Result()
	if err != nil || len(keys) == 0 {
		r.t.Fatal(keys, err)
	}
	for _, key := range keys {
		session := map[string]any{}
		if err := json.Unmarshal([]byte(r.admin.Get(r.t.Context(), key).Val()), &session); err != nil {
			r.t.Fatal(err)
		}
		session["until"] = time.Now().Add(10 * time.Minute).UnixMilli()
		text, err := json.Marshal(session)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.admin.Set(r.t.Context(), key, text, redis.KeepTTL).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A Redis without memory keeps what it has: whoever is signed in reads every
// page, also when their session should be prolonged. Whoever signs in is told
// in the form that it can't be done now.
func TestAFullRedisTakesNoPageAway(t *testing.T) {
	r := newOwnRedis(t)
	env := []string{"DATA_DIR=" + t.TempDir()}
	if os.Getenv("TEST_DATABASE_URL") != "" {
		env = []string{"DEMO=true", "DATABASE_URL=" + sqltest.PostgresURL(t)}
	}
	p := start(t, append(env, "REDIS_URL="+r.url())...)
	db := openData(t, env)
	anna, vera, admin, guest := inspect(p.as("anna")), inspect(p.as("vera")), inspect(p.as("admin")), inspect(p.client())
	ended, page := anna.buys(p, db, "+79165400001", "")
	visit := anna.walk(p, customer{phone: "+79165400002"}, domain.StepCode)
	anna.sendCode(visit)
	anna.get(visit + "/code/qr")
	self := "/c/" + db.one(`SELECT self_token FROM visits WHERE id = $1`, idOf(visit))
	// Timur has signed in with a way back, which his first page is to end.
	timur := inspect(p.client())
	timur.goesTo(timur.post("/sign-in", "login", "timur", "password", demoPassword, "back", "/promo-check"), "/promo-check")
	r.ageSessions()
	r.do("CONFIG", "SET", "maxmemory", "1")
	for _, reading := range []struct {
		c     *client
		paths []string
	}{
		{anna, []string{"/counter", "/promo-check", "/store", visit + "/age", visit + "/consents", visit + "/contact", visit + "/code", ended + "/summary", "/handset"}},
		{timur, []string{"/promo-check", "/counter"}},
		{vera, []string{"/visits", ended, ended + "/void", "/limits", "/promo-codes", "/promo-codes.csv", "/promo-batches", "/messages", "/incoming", "/promo-check"}},
		{admin, []string{"/stores", "/templates", "/gateways", "/visits", "/limits"}},
		{guest, []string{page, page + "/stop", page + "/data", page + "/erasure", self, "/sign-in", "/handset", "/readyz"}},
	} {
		for _, path := range reading.paths {
			if a := reading.c.get(path); a.Status != http.StatusOK {
				t.Errorf("GET %s: %d → %q", path, a.Status, a.Location)
			}
		}
	}
	a := guest.post("/sign-in", "login", "anna", "password", demoPassword)
	if s := guest.screen(a); a.Status != http.StatusServiceUnavailable || s.form("/sign-in") == nil || !strings.Contains(s.text(), russian(t, "error.unavailable")) {
		t.Errorf("signing in: %d\n%s", a.Status, s.text())
	}
	if n := strings.Count(p.out.String(), "sessions cannot be prolonged"); n != 1 {
		t.Errorf("the log says so %d times", n)
	}
	r.do("CONFIG", "SET", "maxmemory", "0")
	if a := anna.get("/counter"); a.Status != http.StatusOK || cookieOf(a) == "" {
		t.Errorf("with memory again: %d, and prolonged: %v", a.Status, cookieOf(a) != "")
	}
	if a := guest.post("/sign-in", "login", "anna", "password", demoPassword); a.Status != http.StatusSeeOther {
		t.Errorf("signing in with memory again: %d", a.Status)
	}
}
