package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
)

// When the browser has left, what fails then is no error of ours, whatever it
// is called and wherever it is answered. What stands behind it is still told.
func TestErrorsOfAbandonedRequests(t *testing.T) {
	for name, err := range map[string]error{
		"cancelled":           context.Canceled,
		"cancelled, by SQL":   fmt.Errorf("sql: %w", context.Canceled),
		"as unavailable":      &domain.Error{Kind: domain.Unavailable, Message: domain.Say("error.unavailable"), Err: context.Canceled},
		"in the driver's way": errors.New("interrupted (9)"),
		"a broken connection": &domain.Error{Kind: domain.Unavailable, Err: errors.New("driver: bad connection")},
		"unexpected":          &domain.Error{Kind: domain.Internal, Err: errors.New("boom")},
		"of echo":             echo.NewHTTPError(http.StatusInternalServerError),
	} {
		for _, left := range []bool{true, false} {
			for _, way := range []string{"page", "form"} {
				var out bytes.Buffer
				h := &Handlers{Service: &domain.Service{}, Log: slog.New(slog.NewTextHandler(&out, nil))}
				ctx, leave := context.WithCancel(t.Context())
				if left {
					leave()
				}
				rec := httptest.NewRecorder()
				c := echo.New().NewContext(httptest.NewRequestWithContext(ctx, http.MethodPost, "/visits", nil), rec)
				c.Set(actorKey, domain.Actor{})
				if way == "page" {
					h.Error(err, c)
				} else {
					h.formStatus(c, err)
				}
				leave()
				if told := strings.Contains(out.String(), "level=ERROR"); told == left {
					t.Errorf("%s, as a %s, left %v: told %q", name, way, left, out.String())
				}
				if left && way == "page" && rec.Code != statusGone {
					t.Errorf("%s: %d", name, rec.Code)
				}
				if left && !errors.Is(err, context.Canceled) && !strings.Contains(out.String(), err.Error()) {
					t.Errorf("%s, as a %s: what stands behind it is gone: %q", name, way, out.String())
				}
			}
		}
	}
}
