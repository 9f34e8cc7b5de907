package handlers

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// EditConsents shows the two texts with a box each. A box is ticked only
// where this visit has a recorded yes to that very version of the text.
func (h *Handlers) EditConsents(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepConsents)
	if err != nil || !going {
		return err
	}
	given, err := h.givenConsents(c.Request().Context(), v)
	if err != nil {
		return err
	}
	return h.consents(c, http.StatusOK, v, given, nil)
}

// UpdateConsents saves the answers to the texts that stood on the screen.
func (h *Handlers) UpdateConsents(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepConsents)
	if err != nil || !going {
		return err
	}
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	given := map[int64]bool{}
	var answers []domain.ConsentAnswer
	for _, typed := range form["document"] {
		id, err := strconv.ParseInt(typed, 10, 64)
		if err != nil {
			continue // no document of ours: the domain misses the right one
		}
		given[id] = c.FormValue(views.ConsentField(id)) != ""
		answers = append(answers, domain.ConsentAnswer{DocumentID: id, Given: given[id]})
	}
	a, _ := actorOf(c)
	saved, err := h.Service.RecordConsents(c.Request().Context(), a, v.ID, answers)
	if err != nil {
		return h.again(c, err, func(status int) error {
			return h.consents(c, status, v, given, faults(c, err))
		})
	}
	return after(c, saved)
}

// consents draws the step with today's texts. A text that has replaced the
// one on the screen has a new id, so its box comes back empty.
func (h *Handlers) consents(c echo.Context, status int, visit domain.Visit, given map[int64]bool, f views.Faults) error {
	docs, err := h.Service.ConsentDocuments(c.Request().Context(), visit)
	if err != nil {
		return err
	}
	v := views.ConsentsView{VisitFrame: frame(visit, domain.StepConsents, f), Documents: docs, Given: given}
	return render(c, status, views.VisitConsentsPage(h.page(c, views.T(c.Request().Context(), "step.consents")), v), views.VisitConsents(v))
}

// givenConsents reads the newest answer to each version of a text. Rows are
// only ever added, oldest first, so the last one counts. None does where the
// visit has to ask anew.
func (h *Handlers) givenConsents(ctx context.Context, v domain.Visit) (map[int64]bool, error) {
	if v.ConsentsAt == nil {
		return nil, nil
	}
	rows, err := h.Service.DB.VisitConsents(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	given := map[int64]bool{}
	for _, row := range rows {
		given[row.DocumentID] = row.Given
	}
	return given, nil
}
