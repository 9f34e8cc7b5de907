package handlers

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Visits lists the visits of the supervisor's stores.
func (h *Handlers) Visits(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	stores, advisors, err := h.Service.VisitChoices(ctx, a)
	if err != nil {
		return err
	}
	v := views.VisitsView{Stores: stores, Advisors: advisors}
	status := http.StatusOK
	if v.Filter, v.DayFaulty = visitFilter(c, stores, advisors); v.DayFaulty {
		status = http.StatusUnprocessableEntity
	}
	if v.Rows, v.More, err = h.Service.SupervisedVisits(ctx, a, v.Filter); err != nil {
		return err
	}
	if wantsPart(c.Request()) {
		// The address to share holds only what was chosen, not empty fields.
		c.Response().Header().Set("HX-Push-Url", v.URL(v.Filter.Before))
	}
	p := h.page(c, views.T(ctx, "nav.visits"))
	p.Wide = true
	return render(c, status, views.VisitsPage(p, v), views.VisitList(v))
}

// visitFilter reads the query. A store, advisor or outcome that nobody could
// have chosen comes from an old or mended address and does not filter; a day
// can be typed, so a wrong one is told.
func visitFilter(c echo.Context, stores []domain.Store, advisors []domain.Staff) (f domain.VisitFilter, dayFaulty bool) {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(c.QueryParam(name), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	f.Before = number("before")
	if id := number("store"); slices.ContainsFunc(stores, func(s domain.Store) bool { return s.ID == id }) {
		f.StoreID = id
	}
	if id := number("advisor"); slices.ContainsFunc(advisors, func(s domain.Staff) bool { return s.ID == id }) {
		f.AdvisorID = id
	}
	outcome := domain.Outcome(c.QueryParam("outcome"))
	switch {
	case outcome == views.OpenOutcome:
		f.OnlyOpen = true
	case slices.Contains(domain.Outcomes(), outcome):
		f.Outcome = outcome
	}
	if day := domain.FoldSearch(c.QueryParam("day")); day != "" {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return f, true
		}
		f.Day = day
	}
	return f, false
}

// ShowVisit shows a supervisor the whole history of a visit. An advisor is led
// to where their own visit stands.
func (h *Handlers) ShowVisit(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	id, err := visitID(c)
	if err != nil {
		return err
	}
	if !a.Supervises() {
		v, err := h.Service.OpenVisit(ctx, a, id)
		if err != nil {
			return err
		}
		return redirect(c, stepURL(v))
	}
	history, err := h.Service.SupervisedVisit(ctx, a, id)
	if err != nil {
		return err
	}
	p := h.page(c, views.T(ctx, "history.title", "ID", id))
	p.Wide = true
	v := views.VisitHistoryView{VisitHistory: history, BackURL: backInside(c.QueryParam("back"), "/visits")}
	return render(c, http.StatusOK, views.VisitHistoryPage(p, v), nil)
}
