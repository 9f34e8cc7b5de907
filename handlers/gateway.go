package handlers

import (
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Gateways shows how the ways to the operators' networks do, as this instance
// sees them, and what became of the messages of the last day.
func (h *Handlers) Gateways(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	stores, err := h.Service.AllStores(ctx, a)
	if err != nil {
		return err
	}
	tallies, err := h.Service.GatewayTallies(ctx, a)
	if err != nil {
		return err
	}
	v := views.GatewaysView{Tallies: tallies}
	if len(stores) > 0 {
		v.Store = stores[0]
	}
	for _, g := range h.Service.Gateways {
		reports, incoming := h.Service.GatewayURLs(g)
		v.Gateways = append(v.Gateways, views.GatewayView{
			Gateway: g, Codes: g.Codes.Health(), Messages: g.Messages.Health(), ReportsURL: reports, IncomingURL: incoming,
		})
	}
	p := h.page(c, views.T(ctx, "gateways.title"))
	p.Wide = true
	return render(c, http.StatusOK, views.GatewaysPage(p, v), nil)
}

// CreateDeliveryReports takes what a gateway tells of the texts it was given.
// It calls until it hears 200, so that is the answer to a report of nothing we
// know as well: it would be no better the next time.
func (h *Handlers) CreateDeliveryReports(c echo.Context) error {
	g, call, err := h.callback(c)
	if err != nil {
		return err
	}
	reports, err := g.Callbacks.Reports(call)
	if err != nil {
		h.Log.LogAttrs(c.Request().Context(), slog.LevelWarn, "a delivery report that can't be read",
			slog.String("gateway", g.Name), slog.String("error", err.Error()))
		return h.callbackFailed(c, err)
	}
	for _, r := range reports {
		err := h.Service.TakeReport(c.Request().Context(), g.Name, r)
		switch {
		case domain.IsNotFound(err):
			h.Log.LogAttrs(c.Request().Context(), slog.LevelWarn, "a delivery report of an unknown message",
				slog.String("gateway", g.Name), slog.Int64("message", r.MessageID), slog.String("state", string(r.State)))
		case err != nil:
			return h.callbackFailed(c, err)
		}
	}
	return c.String(http.StatusOK, g.Callbacks.Answer())
}
