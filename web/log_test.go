package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// The jobs' own log: warnings and faults stay, what a clean stop interrupts
// does not look like one.
func TestQuiet(t *testing.T) {
	var out bytes.Buffer
	log := quiet(slog.New(slog.NewTextHandler(&out, nil)))
	log.Info("started")
	log.Error("cut short", slog.String("error", context.Canceled.Error()))
	log.Error("cut short too", slog.Any("error", context.Canceled))
	log.Warn("slow")
	log.With("job", 7).Error("broken", slog.Any("error", errors.New("disk full")))
	got := out.String()
	if strings.Contains(got, "started") || strings.Contains(got, "cut short") {
		t.Errorf("told needlessly:\n%s", got)
	}
	if !strings.Contains(got, "slow") || !strings.Contains(got, "disk full") || !strings.Contains(got, "job=7") {
		t.Errorf("kept back:\n%s", got)
	}
}
