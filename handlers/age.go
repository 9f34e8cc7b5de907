package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// EditAge shows the first question of a visit.
func (h *Handlers) EditAge(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepAge)
	if err != nil || !going {
		return err
	}
	return h.age(c, http.StatusOK, views.AgeView{VisitFrame: frame(v, domain.StepAge, nil), Age: v.Age})
}

func (h *Handlers) age(c echo.Context, status int, v views.AgeView) error {
	v.Threshold = h.Service.Settings.AgeThreshold
	return render(c, status, views.VisitAgePage(h.page(c, views.T(c.Request().Context(), "step.age")), v), views.VisitAge(v))
}

// UpdateAge saves the age check. The typed birth date goes back into the form
// where it was wrong, and nowhere else.
func (h *Handlers) UpdateAge(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepAge)
	if err != nil || !going {
		return err
	}
	a, _ := actorOf(c)
	check, birth := domain.AgeCheck(c.FormValue("age")), c.FormValue("birth_date")
	saved, err := h.Service.RecordAge(c.Request().Context(), a, v.ID, check, birth)
	if err != nil {
		return h.again(c, err, func(status int) error {
			f := faults(c, err, "age", "birth_date")
			return h.age(c, status, views.AgeView{VisitFrame: frame(v, domain.StepAge, f), Age: check, BirthDate: birth})
		})
	}
	return after(c, saved)
}
