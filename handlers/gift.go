package handlers

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// CreateGiftCollection notes that the customer was handed their gift, and
// comes back to the step on which it was offered.
func (h *Handlers) CreateGiftCollection(c echo.Context) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	v, err := h.Service.OpenVisit(c.Request().Context(), a, id)
	if err != nil {
		return err
	}
	if v.Ended() || v.ContactID == nil {
		return redirect(c, stepURL(v))
	}
	gift, err := strconv.ParseInt(c.FormValue("gift"), 10, 64)
	if err != nil {
		return &domain.Error{Kind: domain.NotFound, Message: domain.Say("error.not_found")}
	}
	step := domain.StepOutcome
	if c.FormValue("step") == string(domain.StepCode) {
		step = domain.StepCode
	}
	if _, err := h.Service.CollectGift(c.Request().Context(), a, id, gift); err != nil {
		if step == domain.StepCode {
			return h.codeAgain(c, v, err, "", false)
		}
		return h.again(c, err, func(status int) error {
			return h.outcome(c, status, v, "", 0, faults(c, err))
		})
	}
	return redirect(c, visitPath(id, string(step)))
}

// gifts gathers what a step shows of the customer's gifts.
func (h *Handlers) gifts(c echo.Context, v domain.Visit, step domain.Step) (views.GiftView, error) {
	gifts, err := h.Service.Gifts(c.Request().Context(), v)
	return views.GiftView{VisitID: v.ID, Step: step, Gifts: gifts, RequestID: domain.RandomToken(16)}, err
}
