package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"
	"github.com/jackc/pgx/v5"
	"github.com/nyaruka/phonenumbers"
	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// Config is every setting of the program, read once at the start by LoadConfig.
// .env.example tells operators the meaning of each one; a test holds that file against this type.
//
// The tags are the rules: env is the variable, envDefault the value when it is unset or empty, want what an operator is
// told to write when the value is wrong, min and max the inclusive bounds of numbers and durations.
type Config struct {
	// Addr is where the server listens. Port 0 lets the system choose one.
	Addr string `env:"ADDR" envDefault:"127.0.0.1:8080" want:"host:port, such as 127.0.0.1:8080"`
	// PublicURL is the origin people open, as browsers write it; see readOrigin. Empty when it is simply Addr; see SiteURL.
	PublicURL string `env:"PUBLIC_URL" want:"http://host or https://host, with a port if needed, and nothing after it"`
	// DatabaseURL is a PostgreSQL address; empty means the SQLite file in DataDir.
	DatabaseURL secretURL `env:"DATABASE_URL" want:"postgres://user:password@host:5432/database, or nothing for SQLite"`
	// DataDir holds the SQLite file; a relative one starts at the working directory.
	DataDir string `env:"DATA_DIR" envDefault:"data"`
	// RedisURL is a Redis address; empty means Redis inside this process.
	RedisURL secretURL `env:"REDIS_URL" want:"redis://host:6379/0 or rediss://…, or nothing for the in-process one"`
	// RedisPrefix begins every key, so that several programs can share one Redis.
	RedisPrefix string `env:"REDIS_PREFIX" envDefault:"prilavok:" want:"any text"`
	// SecretKey is the root of every keyed value; empty means one that is kept in the database. Use secretKey, which covers both.
	SecretKey secret `env:"SECRET_KEY" want:"32 characters or more, the same on every instance"`

	// Demo is nil when nobody has decided; isDemo decides then.
	Demo *bool `env:"DEMO" want:"true or false"`
	// DemoPassword is the password of every demo login; empty means generated ones.
	DemoPassword secret `env:"DEMO_PASSWORD" want:"8 characters or more, or nothing for generated ones"`

	// TrustedProxies are the peers whose X-Forwarded-For is believed; none by default.
	TrustedProxies networks `env:"TRUSTED_PROXIES" want:"IP addresses or CIDR ranges with commas between, such as 10.0.0.0/8"`
	// SessionLifetime is how long a sign-in lasts unused.
	SessionLifetime time.Duration `env:"SESSION_LIFETIME" envDefault:"14h" min:"1m" max:"720h"`
	// SessionLongest is how long a sign-in lasts however much it is used. The default is longer than any working day, so that
	// nobody is put out amid one, and shorter than a day, so that everybody signs in again on the next.
	SessionLongest time.Duration `env:"SESSION_LONGEST" envDefault:"16h" min:"1m" max:"720h"`
	// SignInAttempts is how many wrong passwords one login takes in 15 minutes in each of its lanes; see SignIn in domain.
	SignInAttempts int `env:"SIGN_IN_ATTEMPTS" envDefault:"10" min:"1" max:"1000"`
	// SignInAttemptsPerAddress is how many tries one client address may send in 15 minutes that are wrong or refused.
	SignInAttemptsPerAddress int `env:"SIGN_IN_ATTEMPTS_PER_ADDRESS" envDefault:"50" min:"1" max:"100000"`

	// AgeThreshold is the age in whole years from which a customer is served.
	AgeThreshold int `env:"AGE_THRESHOLD" envDefault:"18" min:"1" max:"99"`
	// VisitAbandonedAfter is how long a visit may lie untouched before it is closed.
	VisitAbandonedAfter time.Duration `env:"VISIT_ABANDONED_AFTER" envDefault:"12h" min:"5m" max:"168h"`
	// PhoneRegions are the countries whose mobile numbers are taken. The first one is that of a number typed without a country code.
	PhoneRegions regions `env:"PHONE_REGIONS" envDefault:"RU" want:"ISO 3166-1 country codes with commas between, such as RU,KZ"`

	// CodeLength is the number of digits in a code sent by SMS.
	CodeLength int `env:"CODE_LENGTH" envDefault:"4" min:"4" max:"6"`
	// CodeLifetime is how long a code sent by SMS is good for.
	CodeLifetime time.Duration `env:"CODE_LIFETIME" envDefault:"5m" min:"10s" max:"1h"`
	// CodeTries is how many wrong codes one challenge takes. More than 5 would pass the cap of wrong codes per phone and day.
	CodeTries int `env:"CODE_TRIES" envDefault:"3" min:"1" max:"5"`
	// CodeTriesPerDay is how many wrong codes one phone takes in 24 hours, over all visits and advisors.
	CodeTriesPerDay int `env:"CODE_TRIES_PER_DAY" envDefault:"5" min:"1" max:"50"`
	// CodeResendAfter are the waits after the first, second, third… SMS of one code; the last one repeats.
	CodeResendAfter waits `env:"CODE_RESEND_AFTER" envDefault:"20s,60s,120s" want:"1 to 10 durations with commas between, each from 1s to 1h, such as 20s,60s,120s"`
	// CodeLockAfter is how many wrong codes of one phone within 90 days lie between its locks; each lock is longer than the one before.
	CodeLockAfter int `env:"CODE_LOCK_AFTER" envDefault:"5" min:"1" max:"50"`
	// CodeLocks are the lengths of the first, second, third… lock of a phone; the last one repeats.
	CodeLocks locks `env:"CODE_LOCKS" envDefault:"24h,72h,168h,720h" want:"1 to 10 durations with commas between, each from 1h to 720h and none shorter than the one before, such as 24h,72h,168h"`
	// CodeTriesPerAdvisor is how many wrong codes are taken from one advisor in 24 hours, over all phones.
	CodeTriesPerAdvisor int `env:"CODE_TRIES_PER_ADVISOR" envDefault:"10" min:"1" max:"1000"`
	// CodeTriesPerStore is how many wrong codes are taken from one store in 24 hours.
	CodeTriesPerStore int `env:"CODE_TRIES_PER_STORE" envDefault:"50" min:"1" max:"10000"`
	// CodeSelfTriesPerPage, CodeSelfTriesPerAddress, CodeSelfTriesPerAdvisor and CodeSelfTriesPerStore are how many wrong
	// codes customers type on pages of their own in 24 hours: on one page, from one client address, in the visits of one
	// advisor, and in one store. When they are used up those pages close and not the counter.
	CodeSelfTriesPerPage    int `env:"CODE_SELF_TRIES_PER_PAGE" envDefault:"5" min:"1" max:"50"`
	CodeSelfTriesPerAddress int `env:"CODE_SELF_TRIES_PER_ADDRESS" envDefault:"20" min:"1" max:"100000"`
	CodeSelfTriesPerAdvisor int `env:"CODE_SELF_TRIES_PER_ADVISOR" envDefault:"20" min:"1" max:"1000"`
	CodeSelfTriesPerStore   int `env:"CODE_SELF_TRIES_PER_STORE" envDefault:"50" min:"1" max:"10000"`
	// CodeSendsPerPhone is how many SMS with a code one phone gets in 24 hours.
	CodeSendsPerPhone int `env:"CODE_SENDS_PER_PHONE" envDefault:"5" min:"1" max:"50"`
	// CodeSendsPerAdvisor is how many SMS with a code one advisor sends in an hour; as many more are asked for on their
	// customers' own pages.
	CodeSendsPerAdvisor int `env:"CODE_SENDS_PER_ADVISOR" envDefault:"60" min:"1" max:"10000"`
	// CodeSendsPerAddress is how many SMS with a code are asked for from one client address in an hour; as many more on
	// customers' own pages.
	CodeSendsPerAddress int `env:"CODE_SENDS_PER_ADDRESS" envDefault:"240" min:"1" max:"100000"`
	// CodeLater is how long after a visit a customer who put it off may still verify their phone by themselves.
	CodeLater time.Duration `env:"CODE_LATER" envDefault:"168h" min:"1h" max:"720h"`

	// PromoHold is how long a promo code is kept for a visit before its use is given back.
	PromoHold time.Duration `env:"PROMO_HOLD" envDefault:"15m" min:"1m" max:"24h"`
	// PromoNeedsVerifiedPhone tells that only a customer with a verified phone may use a promo code.
	PromoNeedsVerifiedPhone bool `env:"PROMO_NEEDS_VERIFIED_PHONE" envDefault:"true" want:"true or false"`
	// PromoVoidReturnsUse tells that a voided purchase gives the use of its promo code back.
	PromoVoidReturnsUse bool `env:"PROMO_VOID_RETURNS_USE" envDefault:"true" want:"true or false"`
	// PromoOneLiveCode tells that a customer who has a live code gets no second one for another purchase.
	PromoOneLiveCode bool `env:"PROMO_ONE_LIVE_CODE" envDefault:"true" want:"true or false"`
	// PromoTriesPerAdvisor, PromoTriesPerStore and PromoTriesPerAddress are how many promo codes that do not exist are
	// taken in 24 hours. Slips of the finger, which the check digit finds, are not counted.
	PromoTriesPerAdvisor int `env:"PROMO_TRIES_PER_ADVISOR" envDefault:"20" min:"1" max:"1000"`
	PromoTriesPerStore   int `env:"PROMO_TRIES_PER_STORE" envDefault:"100" min:"1" max:"10000"`
	PromoTriesPerAddress int `env:"PROMO_TRIES_PER_ADDRESS" envDefault:"100" min:"1" max:"100000"`

	// MessageAt is when later messages are sent, in the time zone of the store.
	MessageAt clockTime `env:"MESSAGE_AT" envDefault:"11:00" want:"a time of day from 00:00 to 23:59, not before MESSAGE_FROM and before MESSAGE_UNTIL"`
	// MessageFrom (inclusive) and MessageUntil (exclusive) bound when a later message may leave, in the time zone of the store.
	MessageFrom  clockTime `env:"MESSAGE_FROM" envDefault:"09:00" want:"a time of day from 00:00 to 23:59, before MESSAGE_UNTIL"`
	MessageUntil clockTime `env:"MESSAGE_UNTIL" envDefault:"21:00" want:"a time of day from 00:00 to 23:59"`

	// MessagesPerWeek is how many later messages one person gets within seven days.
	MessagesPerWeek int `env:"MESSAGES_PER_WEEK" envDefault:"3" min:"1" max:"100"`
	// MessageReportWithin is how long a delivery report is waited for before the message counts as unknown.
	MessageReportWithin time.Duration `env:"MESSAGE_REPORT_WITHIN" envDefault:"72h" min:"1m" max:"720h"`

	// SMSGateways are the gateways that are switched on, in the order in which they are tried; empty means the handset
	// in a demo and none otherwise.
	SMSGateways gatewayNames `env:"SMS_GATEWAYS" want:"names with commas between, each once: devino, devino_v2, kannel, handset"`
	// SMSCallbackURL is the origin under which gateways reach this program; empty means that of SiteURL.
	SMSCallbackURL string `env:"SMS_CALLBACK_URL" want:"http://host or https://host, with a port if needed, and nothing after it"`

	// DevinoURL, DevinoKey and DevinoFrom belong to Devino.Online. DevinoRate is programme messages a second,
	// DevinoPartPrice kopecks a part; so for the other gateways.
	DevinoURL       string `env:"DEVINO_URL" envDefault:"https://api.devino.online" want:"http://… or https://…"`
	DevinoKey       secret `env:"DEVINO_KEY" want:"the key of the account, since SMS_GATEWAYS names devino"`
	DevinoFrom      string `env:"DEVINO_FROM" want:"a sender that the operators have approved, since SMS_GATEWAYS names devino"`
	DevinoRate      int    `env:"DEVINO_RATE" envDefault:"50" min:"1" max:"1000"`
	DevinoPartPrice int    `env:"DEVINO_PART_PRICE" envDefault:"0" min:"0" max:"100000"`

	// DevinoV2URL and the others belong to Devino's older REST v2.
	DevinoV2URL       string `env:"DEVINO_V2_URL" envDefault:"https://integrationapi.net/rest/v2" want:"http://… or https://…"`
	DevinoV2Login     string `env:"DEVINO_V2_LOGIN" want:"the login of the account, since SMS_GATEWAYS names devino_v2"`
	DevinoV2Password  secret `env:"DEVINO_V2_PASSWORD" want:"the password of the account, since SMS_GATEWAYS names devino_v2"`
	DevinoV2From      string `env:"DEVINO_V2_FROM" want:"a sender that the operators have approved, since SMS_GATEWAYS names devino_v2"`
	DevinoV2Rate      int    `env:"DEVINO_V2_RATE" envDefault:"50" min:"1" max:"1000"`
	DevinoV2PartPrice int    `env:"DEVINO_V2_PART_PRICE" envDefault:"0" min:"0" max:"100000"`

	// KannelURL and the others belong to a gateway that speaks Kannel's HTTP form.
	KannelURL       string `env:"KANNEL_URL" want:"the address of sendsms, such as http://127.0.0.1:13013/cgi-bin/sendsms, since SMS_GATEWAYS names kannel"`
	KannelUser      string `env:"KANNEL_USER" want:"the username of a sendsms-user, since SMS_GATEWAYS names kannel"`
	KannelPassword  secret `env:"KANNEL_PASSWORD" want:"the password of the sendsms-user, since SMS_GATEWAYS names kannel"`
	KannelFrom      string `env:"KANNEL_FROM" want:"a sender that the operators have approved, since SMS_GATEWAYS names kannel"`
	KannelRate      int    `env:"KANNEL_RATE" envDefault:"50" min:"1" max:"1000"`
	KannelPartPrice int    `env:"KANNEL_PART_PRICE" envDefault:"0" min:"0" max:"100000"`

	// RequestTimeout is how long a request may take to come in.
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"15s" min:"1s" max:"10m"`
	// UploadTimeout is the same for the form with a file.
	UploadTimeout time.Duration `env:"UPLOAD_TIMEOUT" envDefault:"2m" min:"1s" max:"30m"`
	// StopTimeout is how long requests and jobs may go on after the signal to stop.
	StopTimeout time.Duration `env:"STOP_TIMEOUT" envDefault:"20s" min:"1s" max:"5m"`
	// LogLevel is the least level that is logged.
	LogLevel slog.Level `env:"LOG_LEVEL" envDefault:"info" want:"debug, info, warn or error"`
	// LogFormat is text or json.
	LogFormat string `env:"LOG_FORMAT" envDefault:"text" want:"text or json"`
}

// variables reads "NAME=value" lines; the last one of a name counts. Spaces around a value are dropped:
// they come from pasting and from files with a newline at the end.
func variables(environ []string) map[string]string {
	values := make(map[string]string, len(environ))
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		values[name] = strings.TrimSpace(value)
	}
	return values
}

// LoadConfig reads the settings from environ ("NAME=value"). A variable that is empty counts as unset; names that are
// no settings are ignored. The error tells every fault at once, one line each, and never the value of a secret.
func LoadConfig(environ []string) (Config, error) {
	var c Config
	f := faults{}
	checkSeen(f, variables(environ))
	if err := env.ParseWithOptions(&c, env.Options{Environment: variables(environ)}); err != nil {
		var all env.AggregateError
		if !errors.As(err, &all) {
			return Config{}, fmt.Errorf("settings: %w", err)
		}
		for _, one := range all.Errors {
			var parse env.ParseError
			if !errors.As(one, &parse) {
				return Config{}, fmt.Errorf("settings: %w", one)
			}
			field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
			name := field.Tag.Get("env")
			f.add(name, fmt.Sprintf("%q is not understood", variables(environ)[name]))
		}
	}
	c.check(f)
	if err := f.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// check looks at the values that could be parsed, and brings PublicURL and SMSCallbackURL to their one form.
func (c *Config) check(f faults) {
	c.checkBounds(f)
	if _, port, err := net.SplitHostPort(c.Addr); err != nil || !isPort(port) {
		f.add("ADDR", fmt.Sprintf("%q is not an address to listen on", c.Addr))
	}
	checkOrigin(f, "PUBLIC_URL", &c.PublicURL)
	checkOrigin(f, "SMS_CALLBACK_URL", &c.SMSCallbackURL)
	c.checkGateways(f)
	if !c.DatabaseURL.empty() && !isPostgres(string(c.DatabaseURL)) {
		f.add("DATABASE_URL", "is not an address of a PostgreSQL database")
	}
	if !c.RedisURL.empty() && !isRedis(string(c.RedisURL)) {
		f.add("REDIS_URL", "is not an address of a Redis server")
	}
	if length := utf8.RuneCountInString(string(c.SecretKey)); length > 0 && length < 32 {
		f.add("SECRET_KEY", "is too short")
	}
	if length := utf8.RuneCountInString(string(c.DemoPassword)); length > 0 && length < 8 {
		f.add("DEMO_PASSWORD", "is too short")
	}
	// Two settings are compared only when each is sound by itself: one mistake shall not be reported as two.
	if f.none("MESSAGE_FROM", "MESSAGE_UNTIL") && c.MessageFrom >= c.MessageUntil {
		f.add("MESSAGE_FROM", fmt.Sprintf("%v is not before MESSAGE_UNTIL, %v", c.MessageFrom, c.MessageUntil))
	}
	if f.none("MESSAGE_FROM", "MESSAGE_AT", "MESSAGE_UNTIL") && (c.MessageAt < c.MessageFrom || c.MessageAt >= c.MessageUntil) {
		f.add("MESSAGE_AT", fmt.Sprintf("%v is outside %v–%v", c.MessageAt, c.MessageFrom, c.MessageUntil))
	}
	if f.none("CODE_LIFETIME", "CODE_RESEND_AFTER") && slices.Max(c.CodeResendAfter) >= c.CodeLifetime {
		f.add("CODE_RESEND_AFTER", fmt.Sprintf("%v waits longer than a code lives (CODE_LIFETIME is %v)", c.CodeResendAfter, c.CodeLifetime))
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		f.add("LOG_FORMAT", fmt.Sprintf("%q is not a format", c.LogFormat))
	}
}

// checkSeen refuses what pasting brought along and nobody sees: with it a name or an address would be another, and
// everything look right. Passwords and keys may hold any character.
func checkSeen(f faults, values map[string]string) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		name := field.Tag.Get("env")
		if _, r, found := domain.OutOfPlace(values[name]); found && field.Type != reflect.TypeFor[secret]() {
			f.add(name, fmt.Sprintf("holds a character that cannot be seen, %U", r))
		}
	}
}

// checkBounds holds every number and duration against the min and max of its tags.
func (c *Config) checkBounds(f faults) {
	values := reflect.ValueOf(*c)
	for i := range values.NumField() {
		field := values.Type().Field(i)
		name := field.Tag.Get("env")
		if field.Tag.Get("min") == "" || !f.none(name) {
			continue
		}
		if low, high := bounds(field); values.Field(i).Int() < low || values.Field(i).Int() > high {
			f.add(name, fmt.Sprintf("%v is out of bounds", values.Field(i).Interface()))
		}
	}
}

// bounds reads the min and max of a field's tags, durations in nanoseconds. The tags are part of the program, so a
// wrong one panics, and every test of LoadConfig finds it.
func bounds(field reflect.StructField) (low, high int64) {
	read := func(tag string) int64 {
		if field.Type == reflect.TypeFor[time.Duration]() {
			d, err := time.ParseDuration(field.Tag.Get(tag))
			if err != nil {
				panic(err)
			}
			return int64(d)
		}
		n, err := strconv.ParseInt(field.Tag.Get(tag), 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	return read("min"), read("max")
}

// isPort tells whether port is a number that a server can listen on.
func isPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// checkOrigin brings the address of a site to its one form; empty stays empty. The value is not repeated in the fault:
// an address pasted here may carry a password.
func checkOrigin(f faults, name string, value *string) {
	if *value == "" {
		return
	}
	origin, err := readOrigin(*value)
	if err != nil {
		f.add(name, "is not the bare address of a site")
		return
	}
	*value = origin
}

// isPostgres asks the driver itself, so that what passes here is what it will accept. Its error may hold the password.
func isPostgres(address string) bool {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return false
	}
	_, err := pgx.ParseConfig(address)
	return err == nil
}

// isRedis asks the client itself, like isPostgres.
func isRedis(address string) bool {
	if !strings.HasPrefix(address, "redis://") && !strings.HasPrefix(address, "rediss://") {
		return false
	}
	_, err := redis.ParseURL(address)
	return err == nil
}

// faults are the settings that are wrong: name of the variable → what is wrong. The first fault of a name is kept.
type faults map[string]string

func (f faults) add(name, wrong string) {
	if f.none(name) {
		f[name] = wrong
	}
}

// none tells whether all these settings are sound so far.
func (f faults) none(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return f[name] != "" })
}

// err puts the faults into one message, in the order of Config, each with what was expected; nil without faults.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	lines := []string{fmt.Sprintf("settings with faults: %d", len(f))}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if name := field.Tag.Get("env"); !f.none(name) {
			lines = append(lines, fmt.Sprintf("  %s: %s; expected %s", name, f[name], expected(field)))
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// expected is what an operator may write for a setting.
func expected(field reflect.StructField) string {
	if field.Tag.Get("min") == "" {
		return field.Tag.Get("want")
	}
	kind := "a whole number"
	if field.Type == reflect.TypeFor[time.Duration]() {
		kind = "a duration (30s, 15m, 14h)"
	}
	return fmt.Sprintf("%s from %s to %s", kind, field.Tag.Get("min"), field.Tag.Get("max"))
}

// SiteURL is the origin for links, without a slash at the end. listening is the address that the server got, which
// differs from ADDR when that asks for port 0. An address of all interfaces cannot be opened, so localhost stands for it.
func (c Config) SiteURL(listening string) string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return "http://" + listening
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// SecureCookies tells whether people come by https, so that cookies may be kept off plain http.
func (c Config) SecureCookies() bool { return strings.HasPrefix(c.PublicURL, "https://") }

// clockTime is a time of day in minutes since midnight, 0 to 1439.
type clockTime int

// UnmarshalText reads hours and minutes, such as 09:30.
func (t *clockTime) UnmarshalText(text []byte) error {
	at, err := time.Parse("15:04", string(text))
	if err != nil {
		return err
	}
	*t = clockTime(at.Hour()*60 + at.Minute())
	return nil
}

func (t clockTime) String() string { return fmt.Sprintf("%02d:%02d", int(t)/60, int(t)%60) }

// waits is a list of durations, in the order in which they are waited.
type waits []time.Duration

// UnmarshalText reads durations with commas between.
func (w *waits) UnmarshalText(text []byte) (err error) {
	*w, err = durations(text, time.Second, time.Hour)
	return err
}

// locks is a list of durations that never grow shorter.
type locks []time.Duration

// UnmarshalText reads durations with commas between.
func (l *locks) UnmarshalText(text []byte) (err error) {
	*l, err = durations(text, time.Hour, 720*time.Hour)
	if err == nil && !slices.IsSorted(*l) {
		return errors.New("shorter than the one before")
	}
	return err
}

// durations reads one to ten of them with commas between, each within the inclusive bounds.
func durations(text []byte, low, high time.Duration) (list []time.Duration, err error) {
	for _, part := range strings.Split(string(text), ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if d < low || d > high {
			return nil, errors.New("out of bounds")
		}
		list = append(list, d)
	}
	if len(list) > 10 {
		return nil, errors.New("too many")
	}
	return list, nil
}

// networks is a list of address ranges; a single address is a range of one.
type networks []netip.Prefix

// UnmarshalText reads addresses and CIDR ranges with commas between.
func (n *networks) UnmarshalText(text []byte) error {
	var list networks
	for _, part := range strings.Split(string(text), ",") {
		part = strings.TrimSpace(part)
		if addr, err := netip.ParseAddr(part); err == nil {
			addr = addr.WithZone("").Unmap()
			list = append(list, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return err
		}
		// IPv4 within IPv6 is IPv4, as everywhere where addresses are read.
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		list = append(list, prefix.Masked())
	}
	*n = list
	return nil
}

// regions is a list of ISO 3166-1 alpha-2 country codes in capitals.
type regions []string

// UnmarshalText reads country codes with commas between, and takes those that have telephone numbers.
func (r *regions) UnmarshalText(text []byte) error {
	var list regions
	for _, part := range strings.Split(string(text), ",") {
		code := strings.ToUpper(strings.TrimSpace(part))
		if !phonenumbers.GetSupportedRegions()[code] {
			return errors.New("not a country code")
		}
		list = append(list, code)
	}
	*r = list
	return nil
}
