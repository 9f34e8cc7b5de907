package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Withdrawals asks whose consent to messages is to be taken back, and lists
// what was taken back before.
func (h *Handlers) Withdrawals(c echo.Context) error {
	return h.withdrawals(c, http.StatusOK, views.WithdrawalView{
		Form: domain.WithdrawalForm{RequestID: domain.RandomToken(16)}, Done: c.QueryParam("done") != "",
	})
}

func (h *Handlers) withdrawals(c echo.Context, status int, v views.WithdrawalView) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	var err error
	if v.Past, err = h.Service.RecentWithdrawals(ctx, a); err != nil {
		return err
	}
	if v.Location, err = h.Service.PromoZone(ctx, a, 0); err != nil {
		return err
	}
	p := h.page(c, views.T(ctx, "withdrawal.title"))
	p.Wide = true
	return render(c, status, views.WithdrawalsPage(p, v), views.Withdrawals(v))
}

// CreateWithdrawal takes a customer's consent to messages back. The answer is
// the same for a number that is nobody's.
func (h *Handlers) CreateWithdrawal(c echo.Context) error {
	a, _ := actorOf(c)
	f := domain.WithdrawalForm{
		RequestID: c.FormValue("request_id"), Phone: c.FormValue("phone"), Reason: c.FormValue("reason"), Sure: c.FormValue("sure") == "yes",
	}
	if err := h.Service.WithdrawFor(c.Request().Context(), a, f); err != nil {
		return h.again(c, err, func(status int) error {
			if f.RequestID == "" {
				f.RequestID = domain.RandomToken(16)
			}
			return h.withdrawals(c, status, views.WithdrawalView{Form: f, Faults: faults(c, err, "phone", "reason", "sure")})
		})
	}
	return redirect(c, "/withdrawals?done=yes")
}
