package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Limits lists the limits on codes that hold now in the supervisor's stores.
func (h *Handlers) Limits(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	limits, err := h.Service.StandingLimits(ctx, a)
	if err != nil {
		return err
	}
	lifts, err := h.Service.RecentLifts(ctx, a)
	if err != nil {
		return err
	}
	p := h.page(c, views.T(ctx, "limits.title"))
	p.Wide = true
	return render(c, http.StatusOK, views.LimitsPage(p, views.LimitsView{Limits: limits, Lifts: lifts}), nil)
}

// EditLimit asks why a limit is to be lifted. One that holds no more leads to
// the list.
func (h *Handlers) EditLimit(c echo.Context) error {
	return h.limit(c, http.StatusOK, views.LiftView{RequestID: domain.RandomToken(16)})
}

func (h *Handlers) limit(c echo.Context, status int, v views.LiftView) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	id, err := visitID(c)
	if err != nil {
		return err
	}
	if v.Limit, err = h.Service.StandingLimit(ctx, a, id); err != nil {
		return err
	}
	return render(c, status, views.LimitPage(h.page(c, views.T(ctx, "limits.lift_title")), v), views.LimitLift(v))
}

// CreateLimitLift lifts a limit.
func (h *Handlers) CreateLimitLift(c echo.Context) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	reason := c.FormValue("reason")
	if err := h.Service.LiftLimit(c.Request().Context(), a, id, c.FormValue("request_id"), reason); err != nil {
		return h.again(c, err, func(status int) error {
			v := views.LiftView{RequestID: c.FormValue("request_id"), Reason: reason, Faults: faults(c, err, "reason")}
			if v.RequestID == "" {
				v.RequestID = domain.RandomToken(16)
			}
			return h.limit(c, status, v)
		})
	}
	return redirect(c, "/limits")
}
