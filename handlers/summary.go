package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// ShowSummary tells how a visit ended, what to take at the till and what the
// customer will receive. An open visit leads to its step.
func (h *Handlers) ShowSummary(c echo.Context) error {
	ctx := c.Request().Context()
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	visit, err := h.Service.OpenVisit(ctx, a, id)
	if err != nil {
		return err
	}
	if !visit.Ended() {
		return redirect(c, stepURL(visit))
	}
	v := views.SummaryView{
		Visit: visit, RequestID: domain.RandomToken(16), Location: locationOf(a),
		Now: h.Service.Now(), Threshold: h.Service.Settings.AgeThreshold,
	}
	if visit.ProductID != nil {
		if v.Product, err = h.Service.DB.Product(ctx, *visit.ProductID); err != nil {
			return err
		}
	}
	if v.Gifts, err = h.Service.Gifts(ctx, visit); err != nil {
		return err
	}
	if visit.VerifiedAt == nil && h.Service.MayVerify(visit) {
		v.SelfURL, v.SelfUntil = h.Service.SelfURL(visit), visit.EndedAt.Add(h.Service.Settings.CodeLater)
	}
	if v.Promise, err = h.Service.Promise(ctx, visit); err != nil {
		return err
	}
	return render(c, http.StatusOK, views.VisitSummaryPage(h.page(c, views.T(ctx, "summary.title")), v), views.VisitSummary(v))
}
