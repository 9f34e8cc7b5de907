package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// AsGet lets the handler of a GET answer a HEAD: it sees a GET, and the server,
// which knows better, keeps the body back. So both have the same status and
// headers, whatever either of them grows into.
func AsGet(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := *c.Request()
		r.Method = http.MethodGet
		c.SetRequest(&r)
		return next(c)
	}
}

// LookAtCallback answers a HEAD where a gateway calls by GET. That call is a
// deed: whoever only looks whether the address is right must not report a
// delivery, nor write to us as a customer.
func (h *Handlers) LookAtCallback(c echo.Context) error {
	g, err := h.Service.GatewayByKey(c.Param("key"))
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, g.Callbacks.Answer())
}
