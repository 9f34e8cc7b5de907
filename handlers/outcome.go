package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// EditOutcome asks how the visit ended. With an outcome and a product in the
// query it shows them chosen; htmx asks so for the sum below the product.
func (h *Handlers) EditOutcome(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepOutcome)
	if err != nil || !going {
		return err
	}
	product, _ := strconv.ParseInt(c.QueryParam("product"), 10, 64)
	return h.outcome(c, http.StatusOK, v, domain.Outcome(c.QueryParam("outcome")), product, nil)
}

// UpdateOutcome ends the visit. The discount that the screen promised for the
// chosen product travels with the form, so that nobody pays another sum than
// the one they were told. FinishVisit itself looks whether the visit stands at
// its outcome, so the visit is read here only where it could not be ended.
func (h *Handlers) UpdateOutcome(c echo.Context) error {
	id, err := visitID(c)
	if err != nil {
		return err
	}
	form := domain.OutcomeForm{Outcome: domain.Outcome(c.FormValue("outcome"))}
	form.ProductID, _ = strconv.ParseInt(c.FormValue("product"), 10, 64)
	if promised, err := strconv.ParseInt(c.FormValue(views.DiscountField(form.ProductID)), 10, 64); err == nil {
		form.Discount = &promised
	}
	a, _ := actorOf(c)
	saved, err := h.Service.FinishVisit(c.Request().Context(), a, id, form)
	if err == nil {
		return after(c, saved)
	}
	if !inForm(err) {
		return err
	}
	v, going, stepErr := h.openStep(c, domain.StepOutcome)
	if stepErr != nil || !going {
		return stepErr
	}
	return h.again(c, err, func(status int) error {
		return h.outcome(c, status, v, form.Outcome, form.ProductID, faults(c, err, "outcome", "product"))
	})
}

func (h *Handlers) outcome(c echo.Context, status int, visit domain.Visit, chosen domain.Outcome, productID int64, f views.Faults) error {
	ctx := c.Request().Context()
	quotes, held, err := h.Service.Quotes(ctx, visit)
	if err != nil {
		return err
	}
	v := views.OutcomeView{
		VisitFrame: frame(visit, domain.StepOutcome, f), Outcome: chosen, ProductID: productID, Quotes: quotes, Held: held,
	}
	if held == nil {
		if v.Lapsed, err = h.lapsedPromo(ctx, visit.ID); err != nil {
			return err
		}
	}
	if v.Gifts, err = h.gifts(c, visit, domain.StepOutcome); err != nil {
		return err
	}
	part := views.VisitOutcome(v)
	if c.Request().Method == http.MethodGet && c.QueryParams().Has("product") {
		part = views.VisitOutcomeSum(v)
	}
	return render(c, status, views.VisitOutcomePage(h.page(c, views.T(ctx, "step.outcome")), v), part)
}
