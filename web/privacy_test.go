package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// redisDump is every key and value that the program keeps in a real Redis; the
// one inside the program cannot be reached from here.
func redisDump(t *testing.T, env []string) string {
	t.Helper()
	if setting(env, "REDIS_URL") == "" {
		return ""
	}
	options, err := redis.ParseURL(os.Getenv("TEST_REDIS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	ctx := t.Context()
	keys, err := client.Keys(ctx, setting(env, "REDIS_PREFIX")+"*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys %q: %v", keys, err)
	}
	var b strings.Builder
	for _, key := range keys {
		kind, err := client.Type(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		var value any
		switch kind {
		case "string":
			value, err = client.Get(ctx, key).Result()
		case "hash":
			value, err = client.HGetAll(ctx, key).Result()
		case "list":
			value, err = client.LRange(ctx, key, 0, -1).Result()
		case "set":
			value, err = client.SMembers(ctx, key).Result()
		case "zset":
			value, err = client.ZRangeWithScores(ctx, key, 0, -1).Result()
		default:
			t.Fatalf("%s is a %s, which nobody looks into", key, kind)
		}
		if err != nil && !errors.Is(err, redis.Nil) { // it may run out between the two questions
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s = %v\n", key, value)
	}
	return b.String()
}

// Without the consent to personal data nothing of a person is kept anywhere:
// not in the database, not in Redis, not in the log, whatever a form says.
func TestNoConsentLeavesNoTrace(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "LOG_LEVEL=debug")...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		visit := c.walk(p, customer{anonymous: true}, domain.StepOutcome)
		const name, answered = "Евпатория", "friend"
		for _, phone := range []string{"+79161237788", "8 (916) 123-77-88", "916 123 77 88"} {
			forged := []string{
				"request_id", "forged", "phone", phone, "name", name, domain.QuestionField(1), answered,
				"promo", phone, "code", phone, "customer_name", name,
			}
			for _, row := range accessTable {
				tail, ofVisit := strings.CutPrefix(row.path, "/visits/:id")
				switch {
				case row.method != http.MethodPost || !ofVisit:
				case tail == "/age", tail == "/consents", tail == "/outcome":
					// These three are open to this visit; what does not
					// belong to them is not read.
					if a := c.post(visit+tail, forged...); a.Status != http.StatusUnprocessableEntity {
						t.Errorf("POST %s: %d → %q", tail, a.Status, a.Location)
					}
				case row.want[anna] == "403":
					if a := c.post(visit+tail, forged...); a.Status != http.StatusForbidden {
						t.Errorf("POST %s: %d → %q", tail, a.Status, a.Location)
					}
				default:
					c.goesTo(c.post(visit+tail, forged...), visit+"/outcome")
					if a := c.part(visit+tail, forged...); a.Header.Get("HX-Location") != visit+"/outcome" {
						t.Errorf("POST %s by htmx: %d", tail, a.Status)
					}
				}
			}
			// A number may be typed where a code is asked for, where a login
			// is asked for, and into the address.
			c.asked(phone)
			if a := p.client().post("/sign-in", "login", phone, "password", name); a.Status != http.StatusUnprocessableEntity {
				t.Errorf("signed in as a phone: %d", a.Status)
			}
			query := "?phone=" + digits(phone) + "&name=" + name
			for _, path := range []string{visit + "/contact" + query, visit + "/outcome" + query, "/" + digits(phone), "/visits/" + digits(phone) + "/age", "/promo-check" + query, "/store" + query} {
				c.get(path)
			}
		}
		// Consent to messages alone changes nothing.
		c.goesTo(c.consent(visit, false, true), visit+"/outcome")
		c.goesTo(c.post(visit+"/contact", "phone", "+79161237788", "name", name), visit+"/outcome")
		c.goesTo(c.send(visit+"/outcome", visit+"/outcome", "outcome", "purchase", "product", "1"), visit+"/summary")

		// The search must be able to find: another customer, who agreed.
		c.walk(p, customer{phone: "+79169990011", name: "Согласна"}, domain.StepCode)

		for where, text := range map[string]string{
			"the database": db.dump(true), "the files": files(t, env), "Redis": redisDump(t, env), "the output": p.out.String(),
		} {
			for _, secret := range []string{"9161237788", "123-77-88", "123 77 88", name} {
				if at := strings.Index(text, secret); at >= 0 {
					t.Errorf("%s has %q: …%s…", where, secret, text[max(0, at-80):min(len(text), at+80)])
				}
			}
		}
		if text := db.dump(true); !strings.Contains(text, "+79169990011") || !strings.Contains(text, "Согласна") {
			t.Error("the search finds nothing where there is something")
		}
		if got := db.one(`SELECT count(*) FROM answers WHERE visit_id = $1`, idOf(visit)); got != "0" {
			t.Errorf("%s answers are kept", got)
		}
	})
}

// Taking the consent back takes phone, name and answers out of the database
// at once, with what hung on them.
func TestConsentTakenBack(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		const phone, name = "+79161239900", "Ефросинья"
		visit := c.walk(p, customer{phone: phone, name: name, promo: p.promoCode()}, domain.StepOutcome)
		c.goesTo(c.send(visit+"/contact", visit+"/contact", domain.QuestionField(1), "friend"), visit+"/outcome")
		if text := db.dump(true); !strings.Contains(text, phone) || !strings.Contains(text, name) {
			t.Fatal("nothing was recorded in the first place")
		}
		c.goesTo(c.consent(visit, false, false), visit+"/outcome")
		text := db.dump(true)
		for _, gone := range []string{national(phone), name} {
			if at := strings.Index(text, gone); at >= 0 {
				t.Errorf("%q is still there: %s", gone, text[max(0, at-150):min(len(text), at+50)])
			}
		}
		for query, want := range map[string]string{
			`SELECT count(*) FROM answers WHERE visit_id = $1`:                                         "0",
			`SELECT count(*) FROM redemptions WHERE visit_id = $1 AND state IN ('held', 'confirmed')`:  "0",
			`SELECT count(*) FROM visits WHERE id = $1 AND contact_id IS NULL AND verified_at IS NULL`: "1",
			`SELECT count(*) FROM promo_codes p WHERE p.used > 0 AND $1 <> ''`:                         "0",
			`SELECT count(*) FROM visit_events WHERE visit_id = $1 AND kind = 'contact_erased'`:        "1",
			`SELECT count(*) FROM consents WHERE visit_id = $1 AND contact_id IS NOT NULL`:             "0",
			`SELECT count(*) FROM verifications WHERE visit_id = $1 AND contact_id IS NOT NULL`:        "0",
		} {
			if got := db.one(query, idOf(visit)); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
		for _, login := range []string{"vera", "admin"} {
			if body := inspect(p.as(login)).get(visit).Body; strings.Contains(body, name) || strings.Contains(body, "99-00") {
				t.Errorf("%s still sees the person", login)
			}
		}
		// A person who is known from another visit is still known.
		known := db.one(`SELECT id, verified_at FROM contacts WHERE phone = '+79000000001'`)
		visit = c.walk(p, customer{phone: "+79000000001", name: "Марья"}, domain.StepCode)
		c.goesTo(c.consent(visit, false, false), visit+"/outcome")
		if got := db.one(`SELECT id, verified_at FROM contacts WHERE phone = '+79000000001'`); got != known {
			t.Errorf("the known contact %q is now %q", known, got)
		}
	})
}

// What is erased is overwritten in the file too, once the journal of the last
// changes has gone into it.
func TestErasedFromTheFile(t *testing.T) {
	t.Parallel()
	env := []string{"DATA_DIR=" + t.TempDir()}
	p := start(t, env...)
	c := inspect(p.as("anna"))
	const phone, name = "+79161239900", "Ефросинья"
	visit := c.walk(p, customer{phone: phone, name: name}, domain.StepCode)
	if text := files(t, env); !strings.Contains(text, phone) || !strings.Contains(text, name) {
		t.Fatal("the search finds nothing where there is something")
	}
	c.goesTo(c.consent(visit, false, false), visit+"/outcome")
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if text := files(t, env); text == "" || strings.Contains(text, phone) || strings.Contains(text, name) {
		t.Errorf("the erased person is still in the file (%d bytes)", len(text))
	}
}

// A code is told to its phone and to nobody else, and a phone in full to
// nobody who reads the log.
func TestPhoneCode_12_CodesAndPhonesAreKeptNowhere(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "LOG_LEVEL=debug", "CODE_LENGTH=6")...)
		db := openData(t, env)
		c := inspect(p.as("anna"))
		var secrets []string
		for n := range 3 {
			phone := fmt.Sprintf("+7916123660%d", n)
			visit := c.walk(p, customer{phone: phone}, domain.StepCode)
			c.sendCode(visit)
			code := p.codes(phone)[0]
			if len(code) != 6 {
				t.Fatalf("the code is %q", code)
			}
			if body := c.get(visit + "/code").Body; strings.Contains(body, code) {
				t.Error("the page tells the code")
			}
			c.send(visit+"/code", visit+"/code/checks", "code", wrong(code, 1))
			c.goesTo(c.send(visit+"/code", visit+"/code/checks", "code", code), visit+"/code")
			c.goesTo(c.post(visit+"/promo", "go", "on"), visit+"/outcome")
			c.goesTo(c.purchase(visit), visit+"/summary")
			secrets = append(secrets, code, wrong(code, 1))
		}
		// Durations and times have six digits too.
		output := regexp.MustCompile(`(took|time)=\S+`).ReplaceAllString(p.out.String(), "")
		kept := regexp.MustCompile(`(?m)^\S*handset = .*$`).ReplaceAllString(redisDump(t, env), "")
		for where, text := range map[string]string{"the database": db.dump(true), "Redis": kept, "the output": output} {
			for _, code := range secrets {
				if at := regexp.MustCompile(`(^|\D)` + code + `(\D|$)`).FindStringIndex(text); at != nil {
					t.Errorf("%s has the code %s: %s", where, code, text[max(0, at[0]-80):min(len(text), at[1]+80)])
				}
			}
		}
		if strings.Contains(output, "916123660") || strings.Contains(kept, "916123660") {
			t.Error("a phone stands in the output or in Redis")
		}
		if !strings.Contains(output, "/visits/:id/code/checks") {
			t.Errorf("nothing was logged:\n%s", output)
		}
	})
}
