package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

const (
	testKey      = "0123456789abcdef0123456789abcdef"
	testPassword = "hunter2-hunter2"
)

func load(t *testing.T, environ ...string) Config {
	t.Helper()
	c, err := LoadConfig(environ)
	if err != nil {
		t.Fatalf("LoadConfig(%q): %v", environ, err)
	}
	return c
}

func TestConfigDefaults(t *testing.T) {
	want := Config{
		Addr:    "127.0.0.1:8080",
		DataDir: "data",

		RedisPrefix: "prilavok:",

		SessionLifetime:          14 * time.Hour,
		SessionLongest:           16 * time.Hour,
		SignInAttempts:           10,
		SignInAttemptsPerAddress: 50,

		AgeThreshold:        18,
		VisitAbandonedAfter: 12 * time.Hour,
		PhoneRegions:        regions{"RU"},

		CodeLength:      4,
		CodeLifetime:    5 * time.Minute,
		CodeTries:       3,
		CodeTriesPerDay: 5,
		CodeResendAfter: waits{20 * time.Second, time.Minute, 2 * time.Minute},

		CodeLockAfter:        5,
		CodeLocks:            locks{24 * time.Hour, 72 * time.Hour, 168 * time.Hour, 720 * time.Hour},
		CodeTriesPerAdvisor:  10,
		CodeTriesPerStore:    50,
		CodeSelfTriesPerPage: 5, CodeSelfTriesPerAddress: 20, CodeSelfTriesPerAdvisor: 20, CodeSelfTriesPerStore: 50,
		CodeSendsPerPhone:   5,
		CodeSendsPerAdvisor: 60,
		CodeSendsPerAddress: 240,
		CodeLater:           7 * 24 * time.Hour,

		PromoHold:               15 * time.Minute,
		PromoNeedsVerifiedPhone: true,
		PromoVoidReturnsUse:     true,
		PromoOneLiveCode:        true,
		PromoTriesPerAdvisor:    20,
		PromoTriesPerStore:      100,
		PromoTriesPerAddress:    100,

		MessageAt:    11 * 60,
		MessageFrom:  9 * 60,
		MessageUntil: 21 * 60,

		MessagesPerWeek:     3,
		MessageReportWithin: 72 * time.Hour,

		DevinoURL: "https://api.devino.online", DevinoRate: 50,
		DevinoV2URL: "https://integrationapi.net/rest/v2", DevinoV2Rate: 50,
		KannelRate: 50,

		RequestTimeout: 15 * time.Second,
		UploadTimeout:  2 * time.Minute,
		StopTimeout:    20 * time.Second,
		LogLevel:       slog.LevelInfo,
		LogFormat:      "text",
	}
	if got := load(t); !reflect.DeepEqual(got, want) {
		t.Errorf("without variables:\n got %v\nwant %v", got, want)
	}

	// Every variable there, and every one empty or blank: the same again.
	var empty []string
	for name := range settings(t) {
		empty = append(empty, name+"= ")
	}
	if got := load(t, empty...); !reflect.DeepEqual(got, want) {
		t.Errorf("with empty variables:\n got %v\nwant %v", got, want)
	}
}

func TestConfigValues(t *testing.T) {
	c := load(t,
		"ADDR=:9000", "PUBLIC_URL=https://shop.example/", "SECRET_KEY= "+testKey+"\n",
		"DATABASE_URL=postgresql://shop:"+testPassword+"@db.example/shop?sslmode=require",
		"REDIS_URL=rediss://:"+testPassword+"@redis.example:6380/2",
		"DEMO=false", "TRUSTED_PROXIES=10.1.2.3/8, 192.0.2.7,2001:db8::/32", "PHONE_REGIONS=kz, RU",
		"CODE_LENGTH=6", "CODE_RESEND_AFTER=5s, 1m", "CODE_LOCKS=1h, 2h,2h", "MESSAGE_FROM=10:30", "MESSAGE_AT=10:30", "MESSAGE_UNTIL=10:31",
		"PROMO_NEEDS_VERIFIED_PHONE=false", "LOG_LEVEL=warn", "LOG_FORMAT=json",
	)
	for _, check := range []struct {
		what      string
		got, want any
	}{
		{"origin", c.SiteURL("0.0.0.0:9000"), "https://shop.example"},
		{"secure cookies", c.SecureCookies(), true},
		{"key", string(c.SecretKey), testKey},
		{"database", string(c.DatabaseURL), "postgresql://shop:" + testPassword + "@db.example/shop?sslmode=require"},
		{"proxies", c.TrustedProxies, networks{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"),
		}},
		{"regions", c.PhoneRegions, regions{"KZ", "RU"}},
		{"code length", c.CodeLength, 6},
		{"waits", c.CodeResendAfter, waits{5 * time.Second, time.Minute}},
		{"locks", c.CodeLocks, locks{time.Hour, 2 * time.Hour, 2 * time.Hour}},
		{"minutes", []int{int(c.MessageFrom), int(c.MessageAt), int(c.MessageUntil)}, []int{630, 630, 631}},
		{"verified phone", c.PromoNeedsVerifiedPhone, false},
		{"log level", c.LogLevel, slog.LevelWarn},
		{"demo", c.Demo != nil && !*c.Demo, true},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%s = %v, want %v", check.what, check.got, check.want)
		}
	}
}

// Where DEMO says nothing, only an empty SQLite file and one that was made as
// a demo are one: the handset shows every code to everybody.
func TestIsDemo(t *testing.T) {
	yes, no := true, false
	clock := func() time.Time { return sqltest.Start }
	demo := sqltest.New(t)
	service := &domain.Service{DB: demo, Clock: clock, Secret: []byte(testKey), Settings: domain.DefaultSettings()}
	if _, err := service.MakeDemo(t.Context(), func() string { return testPassword }); err != nil {
		t.Fatal(err)
	}
	staffed := sqltest.New(t)
	sqltest.Fixture(t, staffed)
	for _, test := range []struct {
		what string
		demo *bool
		db   *sql.DB
		want bool
	}{
		{"empty", nil, sqltest.New(t), true},
		{"made as a demo", nil, demo, true},
		{"made as a demo, DEMO=false", &no, demo, false},
		{"real staff", nil, staffed, false},
		{"real staff, DEMO=true", &yes, staffed, true},
	} {
		if got, err := isDemo(t.Context(), Config{Demo: test.demo}, test.db); err != nil || got != test.want {
			t.Errorf("%s: %v, %v, want %v", test.what, got, err, test.want)
		}
	}
}

func TestConfigSiteURL(t *testing.T) {
	for listening, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		"0.0.0.0:80":     "http://localhost:80",
		":8080":          "http://localhost:8080",
		"[::]:8080":      "http://localhost:8080",
		"[::1]:8080":     "http://[::1]:8080",
	} {
		if got := load(t).SiteURL(listening); got != want {
			t.Errorf("listening on %s: %s, want %s", listening, got, want)
		}
	}
}

func TestConfigFaults(t *testing.T) {
	for _, test := range []struct{ environ, wrong, expected string }{
		{"ADDR=8080", `ADDR: "8080" is not`, "host:port"},
		{"ADDR=127.0.0.1:http", `ADDR: "127.0.0.1:http" is not`, "host:port"},
		{"ADDR=127.0.0.1:65536", `ADDR: "127.0.0.1:65536" is not`, "host:port"},
		{"PUBLIC_URL=shop.example", "PUBLIC_URL: is not", "https://host"},
		{"PUBLIC_URL=ftp://shop.example", "PUBLIC_URL: is not", "https://host"},
		{"PUBLIC_URL=https://shop.example/till", "PUBLIC_URL: is not", "https://host"},
		{"PUBLIC_URL=https://shop.example?a=b", "PUBLIC_URL: is not", "https://host"},
		{"PUBLIC_URL=https://me@shop.example", "PUBLIC_URL: is not", "https://host"},
		{"PUBLIC_URL=https://", "PUBLIC_URL: is not", "https://host"},
		{"DATABASE_URL=data/shop.db", "DATABASE_URL: is not", "postgres://"},
		{"DATABASE_URL=mysql://db/shop", "DATABASE_URL: is not", "postgres://"},
		{"DATABASE_URL=postgres://db/shop?sslmode=often", "DATABASE_URL: is not", "postgres://"},
		{"REDIS_URL=localhost:6379", "REDIS_URL: is not", "redis://"},
		{"REDIS_URL=redis://localhost:6379/first", "REDIS_URL: is not", "redis://"},
		{"SECRET_KEY=" + testKey[:31], "SECRET_KEY: is too short", "32 characters"},
		{"DEMO=perhaps", `DEMO: "perhaps" is not understood`, "true or false"},
		{"DEMO_PASSWORD=1234567", "DEMO_PASSWORD: is too short", "8 characters"},
		{"TRUSTED_PROXIES=proxy.example", `TRUSTED_PROXIES: "proxy.example" is not`, "CIDR"},
		{"TRUSTED_PROXIES=10.0.0.0/33", `TRUSTED_PROXIES: "10.0.0.0/33" is not`, "CIDR"},
		{"SESSION_LIFETIME=14", `SESSION_LIFETIME: "14" is not`, "a duration (30s, 15m, 14h) from 1m to 720h"},
		{"SESSION_LIFETIME=0s", "SESSION_LIFETIME: 0s is out", "from 1m to 720h"},
		{"SESSION_LIFETIME=721h", "SESSION_LIFETIME: 721h0m0s is out", "from 1m to 720h"},
		{"SIGN_IN_ATTEMPTS=0", "SIGN_IN_ATTEMPTS: 0 is out", "from 1 to 1000"},
		{"SIGN_IN_ATTEMPTS_PER_ADDRESS=many", `SIGN_IN_ATTEMPTS_PER_ADDRESS: "many" is not`, "a whole number from 1 to 100000"},
		{"AGE_THRESHOLD=0", "AGE_THRESHOLD: 0 is out", "a whole number from 1 to 99"},
		{"AGE_THRESHOLD=100", "AGE_THRESHOLD: 100 is out", "from 1 to 99"},
		{"AGE_THRESHOLD=17.5", `AGE_THRESHOLD: "17.5" is not`, "from 1 to 99"},
		{"VISIT_ABANDONED_AFTER=-1h", "VISIT_ABANDONED_AFTER: -1h0m0s is out", "from 5m to 168h"},
		{"PHONE_REGIONS=RU,XX", `PHONE_REGIONS: "RU,XX" is not`, "country codes"},
		{"PHONE_REGIONS=RU,", `PHONE_REGIONS: "RU," is not`, "country codes"},
		{"CODE_LENGTH=3", "CODE_LENGTH: 3 is out", "from 4 to 6"},
		{"CODE_LENGTH=7", "CODE_LENGTH: 7 is out", "from 4 to 6"},
		{"CODE_LIFETIME=1s", "CODE_LIFETIME: 1s is out", "from 10s to 1h"},
		{"CODE_TRIES=6", "CODE_TRIES: 6 is out", "from 1 to 5"},
		{"CODE_RESEND_AFTER=30", `CODE_RESEND_AFTER: "30" is not`, "durations"},
		{"CODE_RESEND_AFTER=30s,,60s", `CODE_RESEND_AFTER: "30s,,60s" is not`, "durations"},
		{"CODE_RESEND_AFTER=0s", `CODE_RESEND_AFTER: "0s" is not`, "each from 1s"},
		{"CODE_RESEND_AFTER=1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s", "CODE_RESEND_AFTER:", "1 to 10 durations"},
		{"CODE_RESEND_AFTER=30s,5m", "CODE_RESEND_AFTER: [30s 5m0s] waits longer than a code lives", "durations"},
		{"CODE_LOCK_AFTER=0", "CODE_LOCK_AFTER: 0 is out", "from 1 to 50"},
		{"CODE_LOCKS=24h,1h", `CODE_LOCKS: "24h,1h" is not`, "none shorter than the one before"},
		{"CODE_LOCKS=30m", `CODE_LOCKS: "30m" is not`, "each from 1h to 720h"},
		{"CODE_TRIES_PER_ADVISOR=0", "CODE_TRIES_PER_ADVISOR: 0 is out", "from 1 to 1000"},
		{"CODE_SENDS_PER_PHONE=51", "CODE_SENDS_PER_PHONE: 51 is out", "from 1 to 50"},
		{"CODE_LATER=721h", "CODE_LATER: 721h0m0s is out", "from 1h to 720h"},
		{"PROMO_VOID_RETURNS_USE=ja", `PROMO_VOID_RETURNS_USE: "ja" is not`, "true or false"},
		{"PROMO_TRIES_PER_STORE=10001", "PROMO_TRIES_PER_STORE: 10001 is out", "from 1 to 10000"},
		{"PROMO_HOLD=25h", "PROMO_HOLD: 25h0m0s is out", "from 1m to 24h"},
		{"PROMO_NEEDS_VERIFIED_PHONE=ja", `PROMO_NEEDS_VERIFIED_PHONE: "ja" is not`, "true or false"},
		{"MESSAGE_AT=eleven", `MESSAGE_AT: "eleven" is not`, "time of day"},
		{"MESSAGE_AT=08:59", "MESSAGE_AT: 08:59 is outside 09:00–21:00", "MESSAGE_FROM"},
		{"MESSAGE_AT=21:00", "MESSAGE_AT: 21:00 is outside 09:00–21:00", "MESSAGE_UNTIL"},
		{"MESSAGE_FROM=24:00", `MESSAGE_FROM: "24:00" is not`, "time of day"},
		{"MESSAGE_UNTIL=12", `MESSAGE_UNTIL: "12" is not`, "time of day"},
		{"STOP_TIMEOUT=1h", "STOP_TIMEOUT: 1h0m0s is out", "from 1s to 5m"},
		{"LOG_LEVEL=loud", `LOG_LEVEL: "loud" is not`, "debug, info, warn or error"},
		{"LOG_FORMAT=xml", `LOG_FORMAT: "xml" is not`, "text or json"},
		{"LOG_FORMAT=te\u200bxt", "LOG_FORMAT: holds a character that cannot be seen, U+200B", "text or json"},
		{"CODE_LENGTH=\u20664\u2069", "CODE_LENGTH: holds a character that cannot be seen, U+2066", "from 4 to 6"},
		{"PUBLIC_URL=https://shop.example\ufeff", "PUBLIC_URL: holds a character that cannot be seen, U+FEFF", "https://host"},
		{"REDIS_URL=redis://127.0.0.1\u00ad:6379", "REDIS_URL: holds a character that cannot be seen, U+00AD", "redis://"},
	} {
		c, err := LoadConfig([]string{test.environ})
		if err == nil {
			t.Errorf("%s: taken as %v", test.environ, c)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[1], "  "+test.wrong) || !strings.Contains(lines[1], "; expected ") || !strings.Contains(lines[1], test.expected) {
			t.Errorf("%s: %v\nwant one fault that begins with %q and expects %q", test.environ, err, test.wrong, test.expected)
		}
		if !reflect.DeepEqual(c, Config{}) {
			t.Errorf("%s: settings returned beside the error: %v", test.environ, c)
		}
	}
}

func TestConfigFaultsAllTogether(t *testing.T) {
	_, err := LoadConfig([]string{
		"LOG_FORMAT=xml", "CODE_LENGTH=nine", "SECRET_KEY=short", "MESSAGE_FROM=22:00", "PHONE_REGIONS=XX",
	})
	if err == nil {
		t.Fatal("no error")
	}
	var names []string
	for _, line := range strings.Split(err.Error(), "\n")[1:] {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		names = append(names, name)
	}
	// In the order of Config, and MESSAGE_AT not blamed for the fault of MESSAGE_FROM.
	if want := []string{"SECRET_KEY", "PHONE_REGIONS", "CODE_LENGTH", "MESSAGE_FROM", "LOG_FORMAT"}; !slices.Equal(names, want) {
		t.Errorf("faults of %q, want %q in\n%v", names, want, err)
	}
	if !strings.HasPrefix(err.Error(), "settings with faults: 5\n") {
		t.Errorf("the faults are not counted in\n%v", err)
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	for _, environ := range []string{
		"DATABASE_URL=postgres://" + testPassword + ":" + testPassword + "@db.example:port/shop",
		"DATABASE_URL=postgres://shop:" + testPassword + "@db.example/shop?sslmode=often",
		"DATABASE_URL=" + testPassword,
		"REDIS_URL=redis://:" + testPassword + "@redis.example/first",
		"PUBLIC_URL=https://me:" + testPassword + "@shop.example",
		"SECRET_KEY=" + testPassword, // too short
		"DEMO_PASSWORD=" + testPassword[:7],
	} {
		if _, err := LoadConfig([]string{environ}); err == nil || strings.Contains(err.Error(), testPassword[:7]) {
			t.Errorf("%s: %v", environ, err)
		}
	}

	// A password is what it is.
	if c := load(t, "DEMO_PASSWORD=hunter\u200b2\u202e"); string(c.DemoPassword) != "hunter\u200b2\u202e" {
		t.Errorf("the password became %+q", string(c.DemoPassword))
	}

	c := load(t, "SECRET_KEY="+testKey, "DEMO_PASSWORD="+testPassword,
		"DATABASE_URL=postgres://"+testPassword+":"+testPassword+"@db.example:5432/shop?password="+testPassword,
		"REDIS_URL=redis://"+testPassword+":"+testPassword+"@redis.example:6379/3")
	var shown strings.Builder
	for _, value := range []any{c, &c, []Config{c}, c.SecretKey, c.DemoPassword, c.DatabaseURL, c.RedisURL, struct{ Config }{c}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&shown, verb+"\n", value)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
			slog.New(handler).Info("start", "settings", value)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
	}
	for _, leak := range []string{testKey, testPassword, fmt.Sprintf("%x", testKey), fmt.Sprintf("%x", testPassword)} {
		if strings.Contains(shown.String(), leak) {
			t.Errorf("%q is shown in\n%s", leak, shown.String())
		}
	}
	for _, part := range []string{
		`DATABASE_URL="postgres://[hidden]@db.example:5432/shop"`, `REDIS_URL="redis://[hidden]@redis.example:6379/3"`,
		`SECRET_KEY="[hidden]"`, `DEMO=""`, `MESSAGE_AT="11:00"`, `CODE_RESEND_AFTER="[20s 1m0s 2m0s]"`,
	} {
		if !strings.Contains(c.String(), part) {
			t.Errorf("%s is missing in %v", part, c)
		}
	}
	if s := load(t, "DEMO=true").String(); !strings.Contains(s, `DEMO="true"`) || !strings.Contains(s, `SECRET_KEY=""`) {
		t.Errorf("what is set and unset cannot be told apart in %s", s)
	}
}

func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	outside := []string{"ADDR=:1", "CODE_LENGTH=", "OTHER=x"}

	got, err := environment(dir, outside)
	if err != nil || !slices.Equal(got, outside) {
		t.Errorf("without a file: %q, %v", got, err)
	}

	write := func(content string) {
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# comment\nADDR=:2\nCODE_LENGTH=6\nexport CODE_TRIES=2\nDEMO_PASSWORD='pa$$ #word'\n")
	got, err = environment(dir, outside)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"ADDR": ":1", "CODE_LENGTH": "", "OTHER": "x", "CODE_TRIES": "2", "DEMO_PASSWORD": "pa$$ #word"}
	if !maps.Equal(variables(got), want) || len(got) != len(want) {
		t.Errorf("environment = %q, want %v", got, want)
	}
	// Empty outside takes the file's value back: the default counts.
	if c := load(t, got...); c.CodeLength != 4 || c.CodeTries != 2 || c.Addr != ":1" {
		t.Errorf("settings = %v", c)
	}

	write("SECRET_KEY='" + testKey + "\n")
	if _, err := environment(dir, nil); err == nil || strings.Contains(err.Error(), testKey) || !strings.Contains(err.Error(), ".env") {
		t.Errorf("broken file: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, ".env")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".env"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := environment(dir, nil); err == nil {
		t.Error("a .env that cannot be read is passed over")
	}
}

// settings are the variables of Config with their defaults.
func settings(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name := field.Tag.Get("env")
		if _, twice := all[name]; twice || name == "" {
			t.Errorf("field %s: variable %q is missing or there twice", field.Name, name)
		}
		all[name] = field.Tag.Get("envDefault")
		// DATA_DIR takes any text, so there is nothing to expect of it.
		if expected(field) == "" && name != "DATA_DIR" {
			t.Errorf("%s: nothing tells what is expected", name)
		}
	}
	return all
}

func TestEnvExample(t *testing.T) {
	content, err := os.ReadFile("../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	assignment := regexp.MustCompile(`^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$`)
	shown := map[string]string{}
	var environ []string
	above := ""
	for _, line := range strings.Split(string(content), "\n") {
		match := assignment.FindStringSubmatch(line)
		if match != nil {
			if _, twice := shown[match[1]]; twice {
				t.Errorf("%s is there twice", match[1])
			}
			// Two settings that belong together may share one explanation.
			if above == "" || above == "#" {
				t.Errorf("%s has no explanation above it", match[1])
			}
			shown[match[1]] = match[2]
			environ = append(environ, match[1]+"="+match[2])
		}
		above = line
	}
	if want := settings(t); !maps.Equal(shown, want) {
		t.Errorf("the file shows\n%v\nand Config has\n%v", shown, want)
	}
	if got, want := load(t, environ...), load(t); !reflect.DeepEqual(got, want) {
		t.Errorf("the file with every # taken away gives\n%v\nwant the defaults\n%v", got, want)
	}
}

func TestSecretKey(t *testing.T) {
	db, ctx := sqltest.New(t), t.Context()
	if key, err := secretKey(ctx, load(t, "SECRET_KEY="+testKey), db); err != nil || string(key) != testKey {
		t.Errorf("given key: %q, %v", key, err)
	}
	first, err := secretKey(ctx, load(t), db)
	if err != nil || len(first) != 64 {
		t.Fatalf("drawn key of %d characters, %v", len(first), err)
	}
	if again, err := secretKey(ctx, load(t), db); err != nil || !bytes.Equal(again, first) {
		t.Errorf("the next start has another key, %v", err)
	}
	if other, err := secretKey(ctx, load(t), sqltest.New(t)); err != nil || bytes.Equal(other, first) {
		t.Errorf("another database has the same key, %v", err)
	}
}
