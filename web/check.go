package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/web/redisstore"
)

// check recounts everything that is derived from the rows and lists what
// differs; then its error makes the program end with 1. It changes nothing
// but what a start would: it brings no tables up to date and needs them to be.
func check(ctx context.Context, environ []string, out io.Writer) (err error) {
	cfg, err := LoadConfig(environ)
	if err != nil {
		return err
	}
	db, err := sql.Open(ctx, sql.Options{
		DatabaseURL: string(cfg.DatabaseURL), Path: filepath.Join(cfg.DataDir, "prilavok.db"), Logger: newLogger(cfg, out), Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	service := &domain.Service{DB: db, Clock: time.Now, Settings: cfg.settings()}
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

func checkLimits(ctx context.Context, cfg Config, service *domain.Service) (found []domain.Difference, err error) {
	redis, err := redisstore.Open(ctx, redisstore.Options{URL: string(cfg.RedisURL), Prefix: cfg.RedisPrefix})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	defer func() { err = errors.Join(err, redis.Close()) }()
	service.Limits = redis.Limits()
	if found, err = service.RecountLimits(ctx); err != nil {
		return nil, fmt.Errorf("recount the limits: %w", err)
	}
	return found, nil
}
