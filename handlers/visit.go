package handlers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Counter is an advisor's first screen: start a visit, or go on with one.
func (h *Handlers) Counter(c echo.Context) error {
	a, _ := actorOf(c)
	open, err := h.Service.DB.OpenVisits(c.Request().Context(), a.ID, a.StoreID)
	if err != nil {
		return err
	}
	v := views.CounterView{RequestID: domain.RandomToken(16), Location: locationOf(a), Open: open}
	return render(c, http.StatusOK, views.CounterPage(h.page(c, views.T(c.Request().Context(), "nav.counter")), v), nil)
}

// CreateVisit starts a visit and leads to its first question.
func (h *Handlers) CreateVisit(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	v, err := h.Service.StartVisit(ctx, a, c.FormValue("request_id"), views.Language(ctx))
	if err != nil {
		return err
	}
	return redirect(c, stepURL(v))
}

// stepURL is where a visit goes on: its first open step, or its summary.
func stepURL(v domain.Visit) string {
	if v.Ended() {
		return visitPath(v.ID, "summary")
	}
	return visitPath(v.ID, string(v.Next()))
}

func visitPath(id int64, tail string) string {
	return "/visits/" + strconv.FormatInt(id, 10) + "/" + tail
}

// visitID reads the id in the address; anything else is no visit.
func visitID(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, &domain.Error{Kind: domain.NotFound, Message: domain.Say("error.not_found")}
	}
	return id, nil
}

// locationOf is the time zone of the actor's chosen store.
func locationOf(a domain.Actor) *time.Location {
	return a.Store().Location()
}

// openStep gives the visit when the step can be shown. Where it can't, going
// is false and the answer, a redirect to where the visit stands, is given
// already: an old tab or a typed address finds its way by itself.
func (h *Handlers) openStep(c echo.Context, step domain.Step) (v domain.Visit, going bool, err error) {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return v, false, err
	}
	if v, err = h.Service.OpenVisit(c.Request().Context(), a, id); err != nil {
		return v, false, err
	}
	if !v.Reachable(step) {
		return v, false, redirect(c, stepURL(v))
	}
	return v, true, nil
}

// frame is what every step's screen shares.
func frame(v domain.Visit, step domain.Step, f views.Faults) views.VisitFrame {
	return views.VisitFrame{Visit: v, Step: step, RequestID: domain.RandomToken(16), Faults: f}
}

// after answers a successful step: on to the next question, or to the summary
// of a visit that ended.
func after(c echo.Context, v domain.Visit) error { return redirect(c, stepURL(v)) }

// again shows a step's form with its fault, or passes an error on that no
// form can hold. An ended visit leads to its summary.
func (h *Handlers) again(c echo.Context, err error, form func(status int) error) error {
	if domain.KindOf(err) == domain.Conflict && messageOf(err).Key == "error.visit_ended" {
		return redirect(c, c.Request().URL.Path[:len("/visits/"+c.Param("id"))]+"/summary")
	}
	if !inForm(err) {
		return err
	}
	return form(h.formStatus(c, err))
}
