package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// NewPromoCheck shows the empty form of the question at the till.
func (h *Handlers) NewPromoCheck(c echo.Context) error {
	return h.promoCheck(c, http.StatusOK, views.PromoCheckView{})
}

func (h *Handlers) promoCheck(c echo.Context, status int, v views.PromoCheckView) error {
	a, _ := actorOf(c)
	v.Location = zoneOf(a)
	return render(c, status, views.PromoCheckPage(h.page(c, views.T(c.Request().Context(), "promo_check.title")), v), views.PromoCheck(v))
}

// CreatePromoCheck answers whether a code can be used. A refused code is an
// answer and no fault of the form, hence 200.
func (h *Handlers) CreatePromoCheck(c echo.Context) error {
	a, _ := actorOf(c)
	v := views.PromoCheckView{Promo: c.FormValue("promo")}
	answer, err := h.Service.LookUpPromo(c.Request().Context(), a, v.Promo)
	if err != nil {
		if !inForm(err) {
			return err
		}
		v.Faults = faults(c, err, "promo")
		return h.promoCheck(c, h.formStatus(c, err), v)
	}
	v.Answer = &answer
	return h.promoCheck(c, http.StatusOK, v)
}

// zoneOf is the time zone that dates are told in to somebody who may have
// chosen no store: a supervisor's first one stands in.
func zoneOf(a domain.Actor) *time.Location {
	if a.StoreID == 0 && len(a.Stores) > 0 {
		return a.Stores[0].Location()
	}
	return locationOf(a)
}
