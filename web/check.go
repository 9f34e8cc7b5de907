package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/web/redisstore"
)

// check recounts everything that is derived from the rows and lists what
// differs; then its error makes the program end with 1. It changes nothing
// but what a start would: it brings no tables up to date and needs them to be.
func check(ctx context.Context, environ []string, out io.Writer) error {
	return checkBy(ctx, environ, out, time.Now)
}

// checkBy is check on a machine with another clock than its own.
func checkBy(ctx context.Context, environ []string, out io.Writer, local func() time.Time) (err error) {
	cfg, err := LoadConfig(environ)
	if err != nil {
		return err
	}
	path := filepath.Join(cfg.DataDir, "prilavok.db")
	if cfg.DatabaseURL.empty() {
		if err := isThere(path); err != nil {
			return err
		}
	}
	db, err := sql.Open(ctx, sql.Options{DatabaseURL: string(cfg.DatabaseURL), Path: path, Logger: newLogger(cfg, out), Now: local})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	service := &domain.Service{DB: db, Clock: local, Settings: cfg.settings()}
	found, err := service.Recount(ctx)
	if err != nil {
		return fmt.Errorf("recount: %w", err)
	}
	if cfg.RedisURL.empty() {
		say(out, "Limits on codes are not checked: their Redis is inside the running program.\n")
	} else {
		limits, err := checkLimits(ctx, cfg, service)
		if err != nil {
			return err
		}
		found = append(found, limits...)
	}
	for _, d := range found {
		say(out, "  %s\n", d)
	}
	if len(found) > 0 {
		return fmt.Errorf("figures that differ from their rows: %d", len(found))
	}
	say(out, "Everything that is derived agrees with its rows.\n")
	return nil
}

// isThere tells whether there is a file to check. Opening would make an empty
// one where there is none, in whatever directory somebody happens to be.
func isThere(path string) error {
	whole, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	const what = "start check where the program runs, or say with DATA_DIR or DATABASE_URL where its database is; nothing was made"
	switch info, err := os.Stat(whole); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no database %s: %s", whole, what)
	case err != nil:
		return fmt.Errorf("database: %w", err)
	case !info.Mode().IsRegular() || info.Size() == 0:
		return fmt.Errorf("%s is no database: %s", whole, what)
	}
	return nil
}

func checkLimits(ctx context.Context, cfg Config, service *domain.Service) (found []domain.Difference, err error) {
	redis, err := redisstore.Open(ctx, redisstore.Options{URL: string(cfg.RedisURL), Prefix: cfg.RedisPrefix, Local: service.Clock})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	defer func() { err = errors.Join(err, redis.Close()) }()
	// What is too old to count is told by the clock by which it was counted.
	service.Limits, service.Clock = redis.Limits(), redis.Now
	if found, err = service.RecountLimits(ctx); err != nil {
		return nil, fmt.Errorf("recount the limits: %w", err)
	}
	return found, nil
}
