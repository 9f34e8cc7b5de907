package handlers

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

func selfPath(c echo.Context) string { return "/c/" + url.PathEscape(c.Param("token")) }

// ShowSelfEntry is the customer's own page. With Redis down it is there all
// the same, with the reason on top.
func (h *Handlers) ShowSelfEntry(c echo.Context) error {
	return h.selfEntry(c, nil, "", false)
}

// CreateSelfCheck judges the code that the customer typed.
func (h *Handlers) CreateSelfCheck(c echo.Context) error {
	typed := c.FormValue("code")
	err := h.Service.SelfCheck(c.Request().Context(), c.Param("token"), c.FormValue("request_id"), typed, c.RealIP())
	if err != nil {
		return h.selfEntry(c, err, typed, true)
	}
	return redirect(c, selfPath(c))
}

// CreateSelfSend sends the code at the customer's wish.
func (h *Handlers) CreateSelfSend(c echo.Context) error {
	err := h.Service.SelfSend(c.Request().Context(), c.Param("token"), c.FormValue("request_id"), c.RealIP())
	if err != nil {
		return h.selfEntry(c, err, "", false)
	}
	return redirect(c, selfPath(c))
}

// selfEntry shows the page, with the fault of what was asked for before. What
// is nobody's page gets the same answer whatever was asked.
func (h *Handlers) selfEntry(c echo.Context, told error, typed string, checking bool) error {
	if told != nil && !inForm(told) {
		return h.selfGone(c, told)
	}
	e, err := h.Service.SelfEntry(c.Request().Context(), c.Param("token"), c.RealIP())
	if err != nil && (!inForm(err) || e.Visit.ID == 0) {
		return h.selfGone(c, err)
	}
	if _, noCookie := c.Cookie(languageName); noCookie != nil {
		// Until they choose, the language in which they were spoken to.
		c.SetRequest(c.Request().WithContext(views.WithLanguage(c.Request().Context(), e.Visit.Language)))
	}
	v := views.SelfView{
		SelfEntry: e, Path: selfPath(c), RequestID: domain.RandomToken(16), Now: h.Service.Now(),
		Length: h.Service.Settings.CodeLength, Typed: typed, Asking: e.State.Live || checking && err != nil,
	}
	status := http.StatusOK
	if told == nil {
		told = err
	}
	if told != nil {
		status, v.Faults = h.formStatus(c, told), faults(c, told, "code")
	}
	if !v.Asking {
		// The field is gone, so the summary can't lead to it.
		for i := range v.Faults {
			v.Faults[i].Field = ""
		}
	}
	return render(c, status, views.SelfPage(v), nil)
}

// selfGone answers for a page that does not exist, or not any more.
func (h *Handlers) selfGone(c echo.Context, err error) error {
	if !domain.IsNotFound(err) {
		return err
	}
	return render(c, http.StatusNotFound, views.SelfGonePage(selfPath(c)), nil)
}
