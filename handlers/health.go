package handlers

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// probeDeadline is how long a part may take to answer /readyz; a balancer
// that asks every few seconds must not queue up behind a dead one.
const probeDeadline = 2 * time.Second

// Healthz tells that the program is alive. It asks nothing else: a program
// that is killed because its database is away does not bring that back.
func (h *Handlers) Healthz(c echo.Context) error {
	return c.String(http.StatusOK, "ok")
}

// Readyz asks every part at the same time and names each with "ok" or
// "unavailable". Why it does not answer stands in the log and not here. What an
// operator should know of a part that works all the same is told beside it.
func (h *Handlers) Readyz(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), probeDeadline)
	defer cancel()
	errs := make([]error, len(h.Probes))
	var wg sync.WaitGroup
	for i, p := range h.Probes {
		wg.Go(func() { errs[i] = p.Ping(ctx) })
	}
	wg.Wait()
	status, parts := http.StatusOK, make(map[string]string, len(h.Probes))
	for i, p := range h.Probes {
		parts[p.Name] = "ok"
		if errs[i] != nil {
			status, parts[p.Name] = http.StatusServiceUnavailable, "unavailable"
			h.Log.WarnContext(ctx, "not ready", "part", p.Name, "error", errs[i].Error())
		}
		if p.Note != nil && errs[i] == nil {
			if note := p.Note(); note != "" {
				parts[p.Name] = note
			}
		}
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(status, parts)
}
