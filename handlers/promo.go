package handlers

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// EditPromo asks for a promo code, or shows the one that is held. A code whose
// hold ran out stands in the field again, to be applied with one press.
func (h *Handlers) EditPromo(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepPromo)
	if err != nil || !going {
		return err
	}
	return h.promo(c, http.StatusOK, v, nil, nil)
}

// UpdatePromo applies a code, or goes on. A code that was typed but not
// applied is applied first, lest the customer loses the discount; one that
// was refused just now does not stand in the way a second time.
func (h *Handlers) UpdatePromo(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepPromo)
	if err != nil || !going {
		return err
	}
	ctx := c.Request().Context()
	a, _ := actorOf(c)
	typed := c.FormValue("promo")
	if c.FormValue("go") != "" {
		done, err := h.promoSettled(ctx, v.ID, typed, c.FormValue("refused"))
		if err != nil {
			return err
		}
		if done {
			saved, err := h.Service.PassPromo(ctx, a, v.ID)
			if err != nil {
				return h.promoAgain(c, v, err, typed)
			}
			return after(c, saved)
		}
	}
	if _, err := h.Service.ApplyPromo(ctx, a, v.ID, typed); err != nil {
		return h.promoAgain(c, v, err, typed)
	}
	return redirect(c, visitPath(v.ID, string(domain.StepPromo)))
}

// promoSettled tells whether nothing in the field still waits to be applied.
func (h *Handlers) promoSettled(ctx context.Context, visitID int64, typed, refused string) (bool, error) {
	code := domain.FoldPromoCode(typed)
	if code == "" || code == domain.FoldPromoCode(refused) {
		return true, nil
	}
	held, err := h.Service.HeldPromo(ctx, visitID)
	return held != nil && held.Code == code, err
}

// CreatePromoRelease takes the held code off the visit.
func (h *Handlers) CreatePromoRelease(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepPromo)
	if err != nil || !going {
		return err
	}
	a, _ := actorOf(c)
	if _, err := h.Service.ReleasePromo(c.Request().Context(), a, v.ID); err != nil {
		return h.promoAgain(c, v, err, "")
	}
	return redirect(c, visitPath(v.ID, string(domain.StepPromo)))
}

func (h *Handlers) promoAgain(c echo.Context, v domain.Visit, err error, typed string) error {
	return h.again(c, err, func(status int) error {
		return h.promo(c, status, v, &typed, faults(c, err, "promo"))
	})
}

// promo draws the step; typed is nil where nothing was sent.
func (h *Handlers) promo(c echo.Context, status int, visit domain.Visit, typed *string, f views.Faults) error {
	ctx := c.Request().Context()
	a, _ := actorOf(c)
	quotes, held, err := h.Service.Quotes(ctx, visit)
	if err != nil {
		return err
	}
	programme, err := h.Service.DB.Programme(ctx, visit.ProgrammeID)
	if err != nil {
		return err
	}
	v := views.PromoView{
		VisitFrame: frame(visit, domain.StepPromo, f), Held: held, Quotes: quotes, Location: locationOf(a),
		NeedsPhone: h.Service.Settings.PromoNeedsVerifiedPhone, NoDiscount: !programme.Discounts(),
	}
	if typed != nil {
		v.Typed = strings.TrimSpace(*typed)
		if f.Error("promo") != "" {
			v.Refused = domain.FoldPromoCode(*typed)
		}
	}
	if held == nil {
		lapsed, err := h.lapsedPromo(ctx, visit.ID)
		if err != nil {
			return err
		}
		v.Lapsed = lapsed
		if lapsed != nil && typed == nil {
			v.Typed = views.PromoCode(lapsed.Code)
		}
	}
	if v.Held == nil && !v.Asks() {
		// The field is not there, so the summary can't lead to it.
		for i := range v.Faults {
			v.Faults[i].Field = ""
		}
	}
	return render(c, status, views.VisitPromoPage(h.page(c, views.T(ctx, "step.promo")), v), views.VisitPromo(v))
}

// lapsedPromo gives the visit's last redemption where its hold ran out, nil
// otherwise. It is asked only when nothing is held.
func (h *Handlers) lapsedPromo(ctx context.Context, visitID int64) (*domain.Redemption, error) {
	past, err := h.Service.DB.Redemptions(ctx, visitID)
	if err != nil || len(past) == 0 || past[len(past)-1].State != domain.RedemptionExpired {
		return nil, err
	}
	return &past[len(past)-1], nil
}
