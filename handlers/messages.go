package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Messages lists the messages of the supervisor's stores with their fates.
func (h *Handlers) Messages(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	stores, _, err := h.Service.VisitChoices(ctx, a)
	if err != nil {
		return err
	}
	v := views.MessagesView{Stores: stores, Filter: messageFilter(c, stores)}
	if v.Location, err = h.Service.PromoZone(ctx, a, 0); err != nil {
		return err
	}
	status := http.StatusOK
	if day := domain.FoldSearch(c.QueryParam("day")); day != "" {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			v.DayFaulty, status = true, http.StatusUnprocessableEntity
		} else {
			v.Filter.Day = day
		}
	}
	if v.Rows, v.More, err = h.Service.SupervisedMessages(ctx, a, v.Filter); err != nil {
		return err
	}
	if wantsPart(c.Request()) {
		c.Response().Header().Set("HX-Push-Url", v.URL(v.Filter.Before))
	}
	p := h.page(c, views.T(ctx, "messages.title"))
	p.Wide = true
	return render(c, status, views.MessagesPage(p, v), views.MessageList(v))
}

// messageFilter reads the query but for the day. What nobody could have chosen
// does not filter.
func messageFilter(c echo.Context, stores []domain.Store) (f domain.MessageFilter) {
	f.Before = idIn(c.QueryParam("before"))
	if id := idIn(c.QueryParam("store")); slices.ContainsFunc(stores, func(s domain.Store) bool { return s.ID == id }) {
		f.StoreID = id
	}
	if v := domain.MessageState(c.QueryParam("state")); slices.Contains(domain.MessageStates(), v) {
		f.State = v
	}
	if v := domain.MessageKind(c.QueryParam("kind")); slices.Contains(domain.MessageKinds(), v) {
		f.Kind = v
	}
	if v := domain.MessageChannel(c.QueryParam("channel")); slices.Contains(domain.MessageChannels(), v) {
		f.Channel = v
	}
	return f
}

// ShowMessage shows everything that is known of one message.
func (h *Handlers) ShowMessage(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	id, err := visitID(c)
	if err != nil {
		return err
	}
	d, err := h.Service.SupervisedMessage(ctx, a, id)
	if err != nil {
		return err
	}
	p := h.page(c, views.T(ctx, "messages.one", "ID", id))
	p.Wide = true
	v := views.MessageView{MessageDetails: d, BackURL: backInside(c.QueryParam("back"), "/messages")}
	if v.Location, err = h.Service.PromoZone(ctx, a, 0); err != nil {
		return err
	}
	return render(c, http.StatusOK, views.MessagePage(p, v), nil)
}

// backInside keeps the way back inside a list, with its filter.
func backInside(back, list string) string {
	u, err := url.Parse(localPath(back))
	if err != nil || u.Path != list {
		return list
	}
	return u.RequestURI()
}
