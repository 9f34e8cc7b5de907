package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// NewVoid tells a supervisor what voiding a purchase takes back, and asks why.
// A voided one leads to its history.
func (h *Handlers) NewVoid(c echo.Context) error { return h.void(c, http.StatusOK, "", nil) }

// CreateVoid takes a purchase back. Pressed twice, it is voided once.
func (h *Handlers) CreateVoid(c echo.Context) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	reason := c.FormValue("reason")
	if _, err := h.Service.VoidPurchase(c.Request().Context(), a, id, reason); err != nil {
		if !inForm(err) {
			return err
		}
		return h.void(c, h.formStatus(c, err), reason, faults(c, err, "reason"))
	}
	return redirect(c, historyPath(id))
}

func historyPath(id int64) string { return "/visits/" + strconv.FormatInt(id, 10) }

func (h *Handlers) void(c echo.Context, status int, reason string, f views.Faults) error {
	ctx := c.Request().Context()
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	v := views.VoidView{Reason: reason, RequestID: domain.RandomToken(16), Faults: f}
	if v.VoidPlan, err = h.Service.PlanVoid(ctx, a, id); err != nil {
		return err
	}
	if v.Visit.Voided() {
		return redirect(c, historyPath(id))
	}
	if v.Store, err = h.Service.DB.Store(ctx, v.Visit.StoreID); err != nil {
		return err
	}
	if v.Product, err = h.Service.DB.Product(ctx, *v.Visit.ProductID); err != nil {
		return err
	}
	return render(c, status, views.VisitVoidPage(h.page(c, views.T(ctx, "void.title")), v), views.VisitVoid(v))
}
