package handlers

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// statuses is the only place where kinds of failure become HTTP.
var statuses = map[domain.Kind]int{
	domain.Internal:        http.StatusInternalServerError,
	domain.Invalid:         http.StatusUnprocessableEntity,
	domain.Unauthenticated: http.StatusUnauthorized,
	domain.Forbidden:       http.StatusForbidden,
	domain.NotFound:        http.StatusNotFound,
	domain.Conflict:        http.StatusConflict,
	domain.Limited:         http.StatusTooManyRequests,
	domain.Unavailable:     http.StatusServiceUnavailable,
}

// messageOf gives what a person is told of an error.
func messageOf(err error) domain.Text {
	var e *domain.Error
	if errors.As(err, &e) && e.Message.Key != "" && e.Kind != domain.Internal {
		return e.Message
	}
	return domain.Say("error.internal")
}

// inForm tells whether an error is answered inside the form that caused it,
// with what was typed, rather than by a page of its own.
func inForm(err error) bool {
	switch domain.KindOf(err) {
	case domain.Invalid, domain.Conflict, domain.Limited, domain.Unavailable:
		return true
	default:
		return false
	}
}

// formStatus gives the status of an answer inside the form, logs what is our
// trouble, and sets Retry-After.
func (h *Handlers) formStatus(c echo.Context, err error) int {
	status := statuses[domain.KindOf(err)]
	h.note(c, status, err)
	return status
}

// note logs an error once, where it is answered, and sets Retry-After.
func (h *Handlers) note(c echo.Context, status int, err error) {
	var e *domain.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if status < http.StatusInternalServerError {
		return
	}
	level, what := slog.LevelError, "request failed"
	if abandoned(c) {
		// It is kept, since something else may stand behind it, and wakes nobody.
		level, what = slog.LevelInfo, "request abandoned"
	}
	h.Log.LogAttrs(c.Request().Context(), level, what,
		slog.String("request_id", requestIDOf(c)), slog.String("route", c.Path()),
		slog.Int("status", status), slog.String("error", err.Error()))
}

func requestIDOf(c echo.Context) string {
	return c.Response().Header().Get(echo.HeaderXRequestID)
}

// Error is echo's error handler: every error that no form has answered comes
// here.
func (h *Handlers) Error(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	status, text := http.StatusInternalServerError, messageOf(err)
	var he *echo.HTTPError
	var de *domain.Error
	switch {
	case abandoned(c):
		if !errors.Is(err, context.Canceled) {
			h.note(c, statuses[domain.KindOf(err)], err)
		}
		_ = c.NoContent(statusGone)
		return
	case brokenOff(c) == http.StatusRequestTimeout:
		// Nothing more can be read from this connection, and its request is over;
		// the words still go.
		c.SetRequest(c.Request().WithContext(context.WithoutCancel(c.Request().Context())))
		c.Response().Header().Set(echo.HeaderConnection, "close")
		status, text = http.StatusRequestTimeout, domain.Say("error.too_slow")
	case errors.As(err, &de):
		status = statuses[de.Kind]
	case errors.As(err, &he):
		status = he.Code
		text = domain.Say(map[int]string{
			http.StatusNotFound:              "error.not_found",
			http.StatusMethodNotAllowed:      "error.not_found",
			http.StatusForbidden:             "error.forbidden",
			http.StatusRequestEntityTooLarge: "error.too_large",
		}[he.Code])
		if text.Key == "" {
			text = domain.Say("error.internal")
		}
	}
	h.note(c, status, err)
	if status == http.StatusUnauthorized {
		_ = leave(c, h.signInURL(c))
		return
	}
	if arriving(c) && (status == http.StatusForbidden || status == http.StatusNotFound) {
		_ = redirect(c, "/")
		return
	}
	if err := h.errorPage(c, status, text); err != nil {
		h.Log.LogAttrs(c.Request().Context(), slog.LevelError, "error page failed", slog.String("error", err.Error()))
		_ = c.String(status, http.StatusText(status))
	}
}

// errorPage shows what happened and the way on. htmx is told to put it in
// place of the whole page, since the part that asked can't hold it.
func (h *Handlers) errorPage(c echo.Context, status int, text domain.Text) error {
	ctx := c.Request().Context()
	if isHTMX(c.Request()) {
		c.Response().Header().Set("HX-Retarget", "body")
		c.Response().Header().Set("HX-Reswap", "innerHTML")
	}
	if _, known := actorOf(c); !known && status == http.StatusNotFound {
		// No route, so no door that would have asked who this is.
		_, _ = h.identify(c)
	}
	v := views.ErrorView{Status: status, Text: views.Say(ctx, text), RequestID: requestIDOf(c)}
	return render(c, status, views.ErrorPage(h.page(c, views.T(ctx, "error.title")), v), nil)
}
