package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
)

// noDatabase is one that does not answer.
type noDatabase struct{ domain.Database }

func (noDatabase) VisitByToken(context.Context, string) (domain.Visit, error) {
	return domain.Visit{}, &domain.Error{Kind: domain.Unavailable, Message: domain.Say("error.unavailable")}
}

// Without the database nobody knows whose page it is: it must not come without
// a number and without a brand, and ask to send a code.
func TestSelfEntryWithoutADatabase(t *testing.T) {
	h := &Handlers{Service: &domain.Service{DB: noDatabase{}, Clock: time.Now}, Log: slog.New(slog.DiscardHandler)}
	for name, handler := range map[string]echo.HandlerFunc{"show": h.ShowSelfEntry, "check": h.CreateSelfCheck, "send": h.CreateSelfSend} {
		rec := httptest.NewRecorder()
		c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/c/x", nil), rec)
		if err := handler(c); domain.KindOf(err) != domain.Unavailable || rec.Body.Len() > 0 {
			t.Errorf("%s: %v, %d\n%s", name, err, rec.Code, rec.Body)
		}
	}
}
