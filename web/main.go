// The program: Prilavok's portal, its background jobs and its edge to the
// network, in one process.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	// Time zones of stores must be known on a machine without tzdata too.
	_ "time/tzdata"

	"prilavok/domain"
	"prilavok/handlers"
	"prilavok/sql"
	"prilavok/web/redisstore"
	"prilavok/web/sms"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	environ, err := environment(".", os.Environ())
	if err == nil {
		err = command(ctx, os.Args[1:], environ, os.Stdout)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // asked to stop while it was still starting
	}
	stop()
	if err != nil {
		say(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}

// command does what the first word asks for: without one it serves.
func command(ctx context.Context, args, environ []string, out io.Writer) error {
	switch {
	case len(args) == 0:
		return run(ctx, environ, out)
	case len(args) == 1 && args[0] == "check":
		return check(ctx, environ, out)
	default:
		return fmt.Errorf("unknown words %q; start without any to serve, or with check to recount what is derived", args)
	}
}

// say tells a person something; there is nobody to tell that it failed.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }

// run starts everything from its settings, serves until ctx ends, and stops
// cleanly: no request is cut, running jobs finish. out gets what a person
// reads: the address, and once the demo's logins; the log goes there too.
func run(ctx context.Context, environ []string, out io.Writer) error {
	return runWithin(ctx, environ, out, 0)
}

// runWithin is run with another deadline of a call to Redis than the program's
// own, which 0 means.
func runWithin(ctx context.Context, environ []string, out io.Writer, redisDeadline time.Duration) (err error) {
	cfg, err := LoadConfig(environ)
	if err != nil {
		return err
	}
	log := newLogger(cfg, out)
	redis, err := redisstore.Open(ctx, redisstore.Options{URL: string(cfg.RedisURL), Prefix: cfg.RedisPrefix, Logger: log, Deadline: redisDeadline})
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	defer func() { err = errors.Join(err, redis.Close()) }()
	options := sql.Options{
		DatabaseURL: string(cfg.DatabaseURL), Path: filepath.Join(cfg.DataDir, "prilavok.db"), Logger: quiet(log), Now: redis.Now,
	}
	db, err := sql.Open(ctx, options)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	service := &domain.Service{
		DB: db, Challenges: redis.Challenges(), Limits: redis.Limits(), Throttle: redis.Throttle(), SignIns: redis.SignIns(), Pacer: redis.Pacer(),
		Clock: redis.Now, Settings: cfg.settings(),
	}
	if service.Secret, err = secretKey(ctx, cfg, db); err != nil {
		return err
	}
	secure := cfg.SecureCookies()
	h := &handlers.Handlers{
		Service: service, Log: log, Secure: secure, UploadTimeout: cfg.UploadTimeout,
		Sessions: redis.Sessions(redisstore.SessionOptions{Lifetime: cfg.SessionLifetime, Longest: cfg.SessionLongest, Secure: secure, Now: redis.Now}),
		Probes:   []handlers.Probe{{Name: "database", Ping: db.Ping}, {Name: "redis", Ping: redis.Ping, Note: clockNote(redis)}},
	}
	demoMode, err := isDemo(ctx, cfg, db)
	if err != nil {
		return err
	}
	var handset *sms.Handset
	if service.Gateways, handset, err = gateways(cfg, demoMode, redis, log); err != nil {
		return err
	}
	if handset != nil {
		h.Inbox = inbox{handset}
	}
	if demoMode {
		if err := demo(ctx, service, cfg, out); err != nil {
			return fmt.Errorf("make the demo: %w", err)
		}
	} else if err := warnEmpty(ctx, db, log); err != nil {
		return err
	}
	jobs := db
	if db.IsPostgres() {
		// Jobs have connections of their own: a hundred thousand messages that
		// are due must not keep a page waiting for one.
		options.Conns = jobConns
		if jobs, err = sql.Open(ctx, options); err != nil {
			return fmt.Errorf("database: %w", err)
		}
		defer func() { err = errors.Join(err, jobs.Close()) }()
	}
	return serve(ctx, cfg, jobs, h, log, out)
}

// clockNote tells an operator of a clock that goes wrong.
func clockNote(redis *redisstore.Store) func() string {
	return func() string {
		if ahead := redis.ClockOff(); ahead != 0 {
			return "ok, but the clock of this machine is ahead of Redis by " + ahead.Round(time.Second).String()
		}
		return ""
	}
}

// jobConns is how many connections to PostgreSQL the jobs of an instance have.
const jobConns = 8

// serve listens, works the jobs, and stops both in order.
func serve(ctx context.Context, cfg Config, jobs *sql.DB, h *handlers.Handlers, log *slog.Logger, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	// The server closes it too; once more does no harm.
	defer func() { _ = listener.Close() }()
	// Only the listener knows the port where the system chose it.
	h.Service.SiteURL = cfg.SiteURL(listener.Addr().String())
	h.Service.CallbackURL = cmp.Or(cfg.SMSCallbackURL, h.Service.SiteURL)
	warnAddress(cfg, h.Service.SiteURL, log)
	warnGateways(cfg, h.Service.Gateways, h.Service.SiteURL, h.Service.CallbackURL, log)
	working := *h.Service
	working.DB = jobs
	server, err := newServer(cfg, h, log)
	if err != nil {
		return err
	}
	river, err := jobs.NewRiver(workerConfig(&working, log))
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	// The jobs outlive the signal: they are stopped below, after the last
	// request that may have added one.
	if err := river.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the jobs: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	say(out, "Prilavok is ready: %s\n", h.Service.SiteURL)

	select {
	case err = <-served: // only a listener that broke ends by itself
	case <-ctx.Done():
		log.Info("stopping")
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopTimeout)
		defer cancel()
		err = errors.Join(server.Shutdown(bound), closed(<-served))
	}
	return errors.Join(err, stopJobs(cfg, river))
}

// closed forgives the error by which Serve tells that it was shut down.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stopJobs lets running jobs finish within the timeout.
func stopJobs(cfg Config, river sql.RiverClient) error {
	ctx, cancel := context.WithTimeout(context.Background(), cfg.StopTimeout)
	defer cancel()
	if err := river.Stop(ctx); err != nil {
		return fmt.Errorf("stop the jobs: %w", err)
	}
	return nil
}

// isDemo tells whether this instance is a demo, with its handset that shows
// every code to everybody. Where DEMO says nothing, only an empty SQLite file
// or one that was made as a demo is: real data never become a demo by a
// setting that somebody forgot.
func isDemo(ctx context.Context, cfg Config, db *sql.DB) (bool, error) {
	if cfg.Demo != nil {
		return *cfg.Demo, nil
	}
	if db.IsPostgres() {
		return false, nil
	}
	n, err := db.StaffCount(ctx)
	if err != nil || n == 0 {
		return n == 0, err
	}
	return db.IsDemo(ctx)
}

// demo makes the demo in an empty database and tells its logins this once.
func demo(ctx context.Context, service *domain.Service, cfg Config, out io.Writer) error {
	n, err := service.DB.StaffCount(ctx)
	if err != nil || n > 0 {
		return err
	}
	made, err := service.MakeDemo(ctx, func() string {
		if cfg.DemoPassword != "" {
			return string(cfg.DemoPassword)
		}
		return domain.RandomToken(9)
	})
	if err != nil || len(made.Logins) == 0 {
		return err
	}
	say(out, "\nA demo was made. These passwords are shown once:\n\n  %-8s %-14s %-14s %s\n", "login", "password", "role", "stores")
	for _, l := range made.Logins {
		stores := strings.Join(l.Stores, ", ")
		if stores == "" {
			stores = "all"
		}
		say(out, "  %-8s %-14s %-14s %s\n", l.Login, l.Password, l.Role, stores)
	}
	say(out, "\nA friend's promo code to try: %s\nThe customer's phone is at /handset.\n\n", domain.FormatPromoCode(made.PromoCode))
	return nil
}

// warnEmpty says what to do when nobody can sign in.
func warnEmpty(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	n, err := db.StaffCount(ctx)
	if err == nil && n == 0 {
		log.Warn("the database has no staff, so nobody can sign in; start once with DEMO=true to look around")
	}
	return err
}

// inbox gives the handset's texts to the screen that draws it.
type inbox struct{ handset *sms.Handset }

func (i inbox) Texts(ctx context.Context) ([]handlers.InboxText, error) {
	texts, err := i.handset.Texts(ctx)
	out := make([]handlers.InboxText, len(texts))
	for n, t := range texts {
		out[n] = handlers.InboxText{To: t.To, Text: t.Text, At: t.At}
	}
	return out, err
}
