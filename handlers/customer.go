package handlers

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/skip2/go-qrcode"

	"prilavok/domain"
	"prilavok/views"
)

func customerPath(c echo.Context) string { return "/m/" + url.PathEscape(c.Param("token")) }

// ShowCustomer is the customer's own page.
func (h *Handlers) ShowCustomer(c echo.Context) error {
	p, err := h.Service.CustomerPage(c.Request().Context(), c.Param("token"))
	if err != nil {
		return h.customerGone(c, err)
	}
	return h.customer(c, p.Contact, func(v views.CustomerView) error {
		return render(c, http.StatusOK, views.CustomerPage(v, p), nil)
	})
}

// ShowCustomerQR draws the digits of a code, as a scanner at the till types
// them.
func (h *Handlers) ShowCustomerQR(c echo.Context) error {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return &domain.Error{Kind: domain.NotFound, Message: domain.Say("error.not_found")}
	}
	p, err := h.Service.CustomerCode(c.Request().Context(), c.Param("token"), id)
	if err != nil {
		return err
	}
	png, err := qrcode.Encode(p.Code, qrcode.Medium, qrModule)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, "image/png", png)
}

// NewCustomerStop says what stopping the messages means, before it is done.
func (h *Handlers) NewCustomerStop(c echo.Context) error {
	p, err := h.Service.CustomerPage(c.Request().Context(), c.Param("token"))
	if err != nil {
		return h.customerGone(c, err)
	}
	return h.customer(c, p.Contact, func(v views.CustomerView) error {
		return render(c, http.StatusOK, views.CustomerStopPage(v, p), nil)
	})
}

// CreateCustomerStop stops the messages; pressed twice it is done once.
func (h *Handlers) CreateCustomerStop(c echo.Context) error {
	if err := h.Service.CustomerStop(c.Request().Context(), c.Param("token")); err != nil {
		return h.customerGone(c, err)
	}
	return redirect(c, customerPath(c)+"/stop")
}

// CreateCustomerRequest records that a customer asks for their data.
func (h *Handlers) CreateCustomerRequest(c echo.Context) error {
	if err := h.Service.CustomerAsk(c.Request().Context(), c.Param("token")); err != nil {
		return h.customerGone(c, err)
	}
	return redirect(c, customerPath(c)+"/data")
}

// ShowCustomerData is everything that is kept about the customer.
func (h *Handlers) ShowCustomerData(c echo.Context) error {
	d, err := h.Service.CustomerData(c.Request().Context(), c.Param("token"))
	if err != nil {
		return h.customerGone(c, err)
	}
	return h.customer(c, d.Contact, func(v views.CustomerView) error {
		return render(c, http.StatusOK, views.CustomerDataPage(v, d), nil)
	})
}

// NewCustomerErasure names what will be gone.
func (h *Handlers) NewCustomerErasure(c echo.Context) error {
	return h.customerErasure(c, nil)
}

// CreateCustomerErasure erases the customer, who has ticked that they are sure
// and typed their whole number.
func (h *Handlers) CreateCustomerErasure(c echo.Context) error {
	f := domain.ErasureForm{Sure: c.FormValue("sure") == "yes", Phone: c.FormValue("phone")}
	err := h.Service.CustomerErase(c.Request().Context(), c.Param("token"), f)
	switch {
	case err == nil:
		return redirect(c, "/m/erased")
	case inForm(err):
		return h.customerErasure(c, err)
	}
	return h.customerGone(c, err)
}

func (h *Handlers) customerErasure(c echo.Context, told error) error {
	p, err := h.Service.CustomerPage(c.Request().Context(), c.Param("token"))
	if err != nil {
		return h.customerGone(c, err)
	}
	status := http.StatusOK
	if told != nil {
		status = h.formStatus(c, told)
	}
	return h.customer(c, p.Contact, func(v views.CustomerView) error {
		if told != nil {
			v.Faults, v.Typed, v.Sure = faults(c, told, "phone", "sure"), c.FormValue("phone"), c.FormValue("sure") == "yes"
		}
		return render(c, status, views.CustomerErasurePage(v, p), nil)
	})
}

// CustomerErased says that it is done. It is nobody's page.
func (h *Handlers) CustomerErased(c echo.Context) error {
	return render(c, http.StatusOK, views.CustomerErasedPage("/m/erased"), nil)
}

// customer shows a page in the customer's language, until they choose one.
func (h *Handlers) customer(c echo.Context, contact domain.Contact, show func(views.CustomerView) error) error {
	if _, noCookie := c.Cookie(languageName); noCookie != nil {
		c.SetRequest(c.Request().WithContext(views.WithLanguage(c.Request().Context(), contact.Language)))
	}
	return show(views.CustomerView{Path: customerPath(c), Now: h.Service.Now()})
}

// customerGone answers for a page that does not exist, or not any more.
func (h *Handlers) customerGone(c echo.Context, err error) error {
	if !domain.IsNotFound(err) {
		return err
	}
	return render(c, http.StatusNotFound, views.CustomerGonePage(customerPath(c)), nil)
}
