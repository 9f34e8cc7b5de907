package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// EditContact asks for phone, name and the questionnaire. What is shown again
// is what this visit recorded, never what is known of the person.
func (h *Handlers) EditContact(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepContact)
	if err != nil || !going {
		return err
	}
	answers, err := h.Service.DB.Answers(c.Request().Context(), v.ID)
	if err != nil {
		return err
	}
	form := domain.ContactForm{Phone: views.Phone(v.Phone), Name: v.CustomerName, Answers: map[int64]string{}}
	for _, answer := range answers {
		form.Answers[answer.QuestionID] = answer.Value
	}
	questions, err := h.Service.DB.Questions(c.Request().Context(), v.ProgrammeID)
	if err != nil {
		return err
	}
	return h.contact(c, http.StatusOK, views.ContactView{
		VisitFrame: frame(v, domain.StepContact, nil), Form: form, Questions: questions,
	})
}

// UpdateContact saves phone, name and answers.
func (h *Handlers) UpdateContact(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepContact)
	if err != nil || !going {
		return err
	}
	questions, err := h.Service.DB.Questions(c.Request().Context(), v.ProgrammeID)
	if err != nil {
		return err
	}
	form := domain.ContactForm{Phone: c.FormValue("phone"), Name: c.FormValue("name"), Answers: map[int64]string{}}
	order := []string{"phone", "name"}
	for _, q := range questions {
		field := domain.QuestionField(q.ID)
		form.Answers[q.ID] = c.FormValue(field)
		order = append(order, field)
	}
	a, _ := actorOf(c)
	saved, err := h.Service.RecordContact(c.Request().Context(), a, v.ID, form)
	if err != nil {
		return h.again(c, err, func(status int) error {
			return h.contact(c, status, views.ContactView{
				VisitFrame: frame(v, domain.StepContact, faults(c, err, order...)), Form: form, Questions: questions,
			})
		})
	}
	return after(c, saved)
}

func (h *Handlers) contact(c echo.Context, status int, v views.ContactView) error {
	return render(c, status, views.VisitContactPage(h.page(c, views.T(c.Request().Context(), "step.contact")), v), views.VisitContact(v))
}
