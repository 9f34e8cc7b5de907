package handlers

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
)

// Readable turns away a form or query that no person can have typed: broken
// escapes, bytes that are no UTF-8, NUL. PostgreSQL refuses such text deep
// inside, as a fault of ours; here it is one of the request. What was sent is
// not repeated anywhere. A gateway's call is left to who reads it: a customer's
// STOP must be heard with whatever bytes stand round it.
func Readable(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.HasPrefix(c.Path(), "/g/:key/") {
			return next(c)
		}
		query, err := url.ParseQuery(c.Request().URL.RawQuery)
		if err != nil || !readable(query) {
			return unreadable()
		}
		form, err := c.FormParams()
		var tooLarge *echo.HTTPError
		if errors.As(err, &tooLarge) || err != nil && brokenOff(c) != 0 {
			return err
		}
		if err != nil || !readable(form) {
			return unreadable()
		}
		return next(c)
	}
}

func readable(values url.Values) bool {
	for name, list := range values {
		for _, s := range append(list, name) {
			if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
				return false
			}
		}
	}
	return true
}

func unreadable() error {
	return &domain.Error{Kind: domain.Invalid, Message: domain.Say("error.unreadable")}
}
