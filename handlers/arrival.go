package handlers

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// statusGone is what the log says of a request that nobody waits for any more:
// the browser was closed, or the connection broke.
const statusGone = 499

const arrivalKey = "arrival"

// arrival is a request's body that remembers why it broke off.
type arrival struct {
	io.ReadCloser
	err error
}

func (a *arrival) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		a.err = err
	}
	return n, err
}

// Arrival watches how a request's body comes in, so that a slow or broken
// connection is not taken for a form that is wrong, nor for a fault of ours.
// Where more than 0 is given for a request, its body has that long to come in,
// whatever the server allows others.
func Arrival(extra func(echo.Context) time.Duration, now func() time.Time) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if d := extra(c); d > 0 {
				control, at := http.NewResponseController(c.Response()), now()
				// What can't be done to this connection is no reason to turn the
				// request away: the server's own deadline stays.
				_ = control.SetReadDeadline(at.Add(d))
				_ = control.SetWriteDeadline(at.Add(d + answerTime))
			}
			body := &arrival{ReadCloser: c.Request().Body}
			c.Request().Body = body
			c.Set(arrivalKey, body)
			return next(c)
		}
	}
}

// answerTime is how long it may take to work on a long request and to answer.
const answerTime = 30 * time.Second

// brokenOff gives the status of a request that did not come in whole: 408
// where it was too slow, statusGone where its sender is gone; 0 where neither
// is so.
func brokenOff(c echo.Context) int {
	body, ok := c.Get(arrivalKey).(*arrival)
	if !ok || body.err == nil {
		return 0
	}
	var network net.Error
	switch isNetwork := errors.As(body.err, &network); {
	case isNetwork && network.Timeout():
		return http.StatusRequestTimeout
	case isNetwork, errors.Is(body.err, io.ErrUnexpectedEOF):
		return statusGone
	}
	return 0
}

// abandoned tells that nobody reads the answer: what fails then fails because
// of that, in whatever words the part below has for it. The server ends the
// context of a request that was too slow as well, and that one is answered.
func abandoned(c echo.Context) bool {
	broken := brokenOff(c)
	return broken == statusGone || broken == 0 && c.Request().Context().Err() != nil
}
