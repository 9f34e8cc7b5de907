package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/skip2/go-qrcode"

	"prilavok/domain"
	"prilavok/views"
)

// CreateCodeDeferral leaves the customer time to verify by themselves. The
// step then shows their page, since they stand here now.
func (h *Handlers) CreateCodeDeferral(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepCode)
	if err != nil || !going {
		return err
	}
	a, _ := actorOf(c)
	if _, err := h.Service.DeferCode(c.Request().Context(), a, v.ID); err != nil {
		return h.codeAgain(c, v, err, "", false)
	}
	return redirect(c, visitPath(v.ID, string(domain.StepCode)))
}

// qrModule is the size of a QR's smallest square in pixels, negative as the
// library wants it for a picture that is as large as it needs.
const qrModule = -8

// ShowCodeQR draws the address of the customer's page. It is a picture of its
// own because the policy of our pages lets no style stand in them.
func (h *Handlers) ShowCodeQR(c echo.Context) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	v, err := h.Service.OpenVisit(c.Request().Context(), a, id)
	if err != nil {
		return err
	}
	if !h.Service.MayVerify(v) {
		return &domain.Error{Kind: domain.NotFound, Message: domain.Say("error.not_found")}
	}
	png, err := qrcode.Encode(h.Service.SelfURL(v), qrcode.Medium, qrModule)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, "image/png", png)
}

// ShowCodeStatus is what the code screen asks by itself: the step as it is once
// the phone is verified, what became of the SMS when that has changed, and
// nothing otherwise. It costs two reads.
func (h *Handlers) ShowCodeStatus(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepCode)
	if err != nil || !going {
		return err
	}
	if !wantsPart(c.Request()) {
		return redirect(c, visitPath(v.ID, string(domain.StepCode)))
	}
	a, _ := actorOf(c)
	until, _ := strconv.ParseInt(c.QueryParam("until"), 10, 64)
	switch {
	case v.VerifiedAt != nil:
		return h.code(c, http.StatusOK, h.codeView(a, v, domain.ChallengeState{}, nil))
	case h.Service.Now().Unix() > until:
		c.Response().Header().Set("HX-Retarget", "#code-watch")
		return render(c, http.StatusOK, nil, views.CodeWatchOver())
	}
	var delivery *domain.CodeDelivery
	if c.QueryParams().Has("seen") {
		if delivery, err = h.Service.CodeDelivery(c.Request().Context(), v); err != nil {
			return err
		}
	}
	if delivery == nil || delivery.Key() == c.QueryParam("seen") {
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.NoContent(http.StatusNoContent)
	}
	view := h.codeView(a, v, domain.ChallengeState{}, nil)
	view.Delivery = delivery
	// Into the region that is there: one that is put in its place whole would
	// be read out by nobody.
	c.Response().Header().Set("HX-Retarget", "#code-delivery")
	c.Response().Header().Set("HX-Reswap", "innerHTML")
	return render(c, http.StatusOK, nil, views.CodeDeliveryNews(view))
}
