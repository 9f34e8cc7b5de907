package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Stores lists the stores with what is set for each.
func (h *Handlers) Stores(c echo.Context) error {
	return h.stores(c, http.StatusOK, nil)
}

func (h *Handlers) stores(c echo.Context, status int, f views.Faults) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	stores, err := h.Service.AllStores(ctx, a)
	if err != nil {
		return err
	}
	v := views.StoresView{Stores: stores, Faults: f}
	return render(c, status, views.StoresPage(h.page(c, views.T(ctx, "stores.title")), v), views.StoreList(v))
}

// UpdateSelfEntry says for a store whether only the customer may type the code.
func (h *Handlers) UpdateSelfEntry(c echo.Context) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	chosen := c.FormValue("self_entry")
	if chosen != "yes" && chosen != "no" {
		err := &domain.Error{Kind: domain.Invalid, Message: domain.Say("stores.choose")}
		return h.stores(c, h.formStatus(c, err), faults(c, err))
	}
	if err := h.Service.SetSelfEntry(c.Request().Context(), a, id, chosen == "yes"); err != nil {
		return err
	}
	return redirect(c, "/stores")
}
