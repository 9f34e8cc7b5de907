package handlers

import (
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// CreateIncoming takes customers' SMS from a gateway. Answered is only what is
// saved: what is not comes again.
func (h *Handlers) CreateIncoming(c echo.Context) error {
	g, call, err := h.callback(c)
	if err != nil {
		return err
	}
	list, err := g.Callbacks.Incoming(call)
	if err != nil {
		return h.callbackFailed(c, err)
	}
	var unreadable error
	taken := 0
	for _, m := range list {
		err := h.Service.TakeIncoming(c.Request().Context(), g.Name, m)
		switch {
		case domain.KindOf(err) == domain.Invalid && err != nil:
			unreadable = err // a STOP may stand behind it
		case err != nil:
			return h.callbackFailed(c, err)
		default:
			taken++
		}
	}
	if unreadable != nil && taken == 0 {
		return h.callbackFailed(c, unreadable)
	}
	return c.String(http.StatusOK, g.Callbacks.Answer())
}

// callback reads a gateway's call and finds whose address it came to. An
// address that is nobody's is answered like every page that does not exist.
func (h *Handlers) callback(c echo.Context) (domain.Gateway, domain.Callback, error) {
	g, err := h.Service.GatewayByKey(c.Param("key"))
	if err != nil {
		return domain.Gateway{}, domain.Callback{}, err
	}
	// How long it may be is the server's business; see web/server.go.
	body, err := io.ReadAll(c.Request().Body)
	return g, domain.Callback{
		Query: domain.ReadForm(c.Request().URL.RawQuery), ContentType: c.Request().Header.Get(echo.HeaderContentType), Body: body,
	}, err
}

// callbackFailed answers a gateway that could not be heard, without a word:
// some gateways would send a body on to the customer. What can't be read won't
// be readable the next time; everything else shall come again.
func (h *Handlers) callbackFailed(c echo.Context, err error) error {
	status := statuses[domain.KindOf(err)]
	if status < http.StatusInternalServerError {
		status = http.StatusBadRequest
	}
	h.note(c, status, err)
	return c.NoContent(status)
}

// Incoming lists what customers have written.
func (h *Handlers) Incoming(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	v := views.IncomingView{Filter: domain.IncomingFilter{Unseen: c.QueryParam("unseen") != "", Before: idIn(c.QueryParam("before"))}}
	var err error
	if v.Location, err = h.Service.PromoZone(ctx, a, 0); err != nil {
		return err
	}
	if v.Rows, v.More, err = h.Service.SupervisedIncoming(ctx, a, v.Filter); err != nil {
		return err
	}
	if wantsPart(c.Request()) {
		c.Response().Header().Set("HX-Push-Url", v.URL(v.Filter.Before))
	}
	p := h.page(c, views.T(ctx, "incoming.title"))
	p.Wide = true
	return render(c, http.StatusOK, views.IncomingPage(p, v), views.IncomingList(v))
}

// CreateIncomingSeen notes that somebody has read an SMS.
func (h *Handlers) CreateIncomingSeen(c echo.Context) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	if err := h.Service.SeeIncoming(c.Request().Context(), a, id); err != nil {
		return err
	}
	return redirect(c, backInside(c.FormValue("back"), "/incoming"))
}

// NewIncomingStop asks whether an SMS shall stop all messages to its sender.
// One that can't leads to the list.
func (h *Handlers) NewIncomingStop(c echo.Context) error {
	return h.incomingStop(c, http.StatusOK, nil)
}

func (h *Handlers) incomingStop(c echo.Context, status int, faults views.Faults) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	id, err := visitID(c)
	if err != nil {
		return err
	}
	v := views.IncomingStopView{Faults: faults}
	if v.Message, err = h.Service.SupervisedIncomingSMS(ctx, a, id); err != nil {
		return err
	}
	if !v.Message.MayStop() {
		return redirect(c, "/incoming")
	}
	return render(c, status, views.IncomingStopPage(h.page(c, views.T(ctx, "incoming.stop_title")), v), views.IncomingStop(v))
}

// CreateIncomingStop takes an SMS for a stop.
func (h *Handlers) CreateIncomingStop(c echo.Context) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	if err := h.Service.StopByIncoming(c.Request().Context(), a, id); err != nil {
		if !inForm(err) {
			return err
		}
		return h.incomingStop(c, h.formStatus(c, err), faults(c, err))
	}
	return redirect(c, "/incoming")
}
