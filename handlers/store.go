package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// EditStore shows the stores an advisor may work in today.
func (h *Handlers) EditStore(c echo.Context) error {
	return h.storeForm(c, http.StatusOK, nil)
}

func (h *Handlers) storeForm(c echo.Context, status int, f views.Faults) error {
	a, _ := actorOf(c)
	v := views.StoreView{Stores: a.Stores, Chosen: a.StoreID, Faults: f}
	return render(c, status, views.StorePage(h.page(c, views.T(c.Request().Context(), "store.title")), v), views.StoreChoice(v))
}

// UpdateStore remembers the chosen store in the session, and leads on to the
// counter or to where signing in was to lead back to.
func (h *Handlers) UpdateStore(c echo.Context) error {
	a, _ := actorOf(c)
	id, _ := strconv.ParseInt(c.FormValue("store"), 10, 64)
	if !a.Assigned(id) {
		err := &domain.Error{Kind: domain.Invalid, Fields: map[string]domain.Text{"store": domain.Say("store.choose")}}
		return h.storeForm(c, h.formStatus(c, err), faults(c, err, "store"))
	}
	s, err := h.Sessions.Get(c.Request(), sessionName)
	if err != nil {
		return err
	}
	s.Values[storeKey] = id
	if err := h.Sessions.Save(c.Request(), c.Response(), s); err != nil {
		return err
	}
	to := "/counter"
	if back, _ := s.Values[backKey].(string); back != "" && back != c.Request().URL.Path {
		to = back // and not to this very choice, which is made
	}
	return redirect(c, to)
}
