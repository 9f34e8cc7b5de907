package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/redis/go-redis/v9"

	"prilavok/handlers"
	"prilavok/web/redisstore"
)

// silent is a Redis that never answers in time; nothing is waited for.
type silent struct{ asked int }

func (*silent) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *silent) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		s.asked++
		cmd.SetErr(context.DeadlineExceeded)
		return context.DeadlineExceeded
	}
}

func (*silent) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A request that asks Redis in several places waits for it once.
func TestARequestWaitsForRedisOnce(t *testing.T) {
	store, err := redisstore.Open(t.Context(), redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	away := &silent{}
	store.Client().AddHook(away)
	h := &handlers.Handlers{Log: slog.New(slog.DiscardHandler), Probes: []handlers.Probe{{Name: "twice", Ping: func(ctx context.Context) error {
		_ = store.Ping(ctx)
		return store.Ping(ctx)
	}}}}
	server, err := newServer(Config{}, h, h.Log)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		w := httptest.NewRecorder()
		server.Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		if w.Code != http.StatusServiceUnavailable || away.asked != n {
			t.Errorf("request %d: %d, and Redis was asked %d times so far", n, w.Code, away.asked)
		}
	}
}
