package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// EditCode shows where the verification stands: nothing sent, a code to type,
// or verified. With Redis down the page is there all the same, with the
// reason on top and the way on without a verified phone.
func (h *Handlers) EditCode(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepCode)
	if err != nil || !going {
		return err
	}
	a, _ := actorOf(c)
	v, state, err := h.Service.CodeState(c.Request().Context(), a, v, domain.EntryAdvisor)
	if err != nil {
		if !inForm(err) {
			return err
		}
		return h.code(c, h.formStatus(c, err), h.codeView(a, v, state, faults(c, err)))
	}
	return h.code(c, http.StatusOK, h.codeView(a, v, state, nil))
}

// CreateCodeSend sends the customer a code, or the same one again.
func (h *Handlers) CreateCodeSend(c echo.Context) error {
	return h.codeVerb(c, "", false, func(ctx context.Context, a domain.Actor, id int64) (domain.Visit, error) {
		return h.Service.SendCode(ctx, a, id, c.FormValue("request_id"))
	})
}

// CreateCodeCheck judges the code that the customer read out.
func (h *Handlers) CreateCodeCheck(c echo.Context) error {
	typed := c.FormValue("code")
	return h.codeVerb(c, typed, true, func(ctx context.Context, a domain.Actor, id int64) (domain.Visit, error) {
		return h.Service.CheckCode(ctx, a, id, c.FormValue("request_id"), typed)
	})
}

// codeVerb does what a form of the code step asks for and shows the step
// again. The verb reads the visit itself, so it is not read here beforehand:
// whether the step can be shown is looked at where it was refused.
func (h *Handlers) codeVerb(c echo.Context, typed string, checking bool,
	verb func(context.Context, domain.Actor, int64) (domain.Visit, error),
) error {
	id, err := visitID(c)
	if err != nil {
		return err
	}
	a, _ := actorOf(c)
	v, err := verb(c.Request().Context(), a, id)
	switch {
	case err == nil:
		return redirect(c, visitPath(id, string(domain.StepCode)))
	case !inForm(err):
		return err
	case v.ID != 0 && !v.Reachable(domain.StepCode):
		return redirect(c, stepURL(v))
	}
	return h.codeAgain(c, v, err, typed, checking)
}

// CreateCodeSkip goes on without a verified phone.
func (h *Handlers) CreateCodeSkip(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepCode)
	if err != nil || !going {
		return err
	}
	a, _ := actorOf(c)
	saved, err := h.Service.SkipCode(c.Request().Context(), a, v.ID)
	if err != nil {
		return h.codeAgain(c, v, err, "", false)
	}
	return after(c, saved)
}

// CodeHelp says what to do when no SMS has come.
func (h *Handlers) CodeHelp(c echo.Context) error {
	v, going, err := h.openStep(c, domain.StepCode)
	if err != nil || !going {
		return err
	}
	a, _ := actorOf(c)
	view := h.codeView(a, v, domain.ChallengeState{}, nil)
	return render(c, http.StatusOK, views.VisitCodeHelpPage(h.page(c, views.T(c.Request().Context(), "code.help")), view), nil)
}

// codeAgain shows the step with its fault. After a conflict, such as a phone
// that was changed in another tab, the visit is read anew. Where Redis can't
// tell the state, the field that was filled in stays, with what was typed.
func (h *Handlers) codeAgain(c echo.Context, v domain.Visit, err error, typed string, checking bool) error {
	return h.again(c, err, func(status int) error {
		a, _ := actorOf(c)
		now := v
		if domain.KindOf(err) == domain.Conflict {
			var readErr error
			if now, readErr = h.Service.OpenVisit(c.Request().Context(), a, v.ID); readErr != nil {
				return readErr
			}
			if !now.Reachable(domain.StepCode) {
				return redirect(c, stepURL(now)) // the customer is out of the visit
			}
		}
		// A Redis that has just failed is not asked again: the advisor waits.
		state, stateErr := domain.ChallengeState{}, err
		if messageOf(err).Key != "error.unavailable" {
			now, state, stateErr = h.Service.CodeState(c.Request().Context(), a, now, domain.EntryAdvisor)
		}
		if stateErr != nil && !inForm(stateErr) {
			return stateErr
		}
		view := h.codeView(a, now, state, faults(c, err, "code"))
		view.Typed = typed
		view.Asking = state.Live || checking && stateErr != nil
		return h.code(c, status, view)
	})
}

func (h *Handlers) codeView(a domain.Actor, v domain.Visit, state domain.ChallengeState, f views.Faults) views.CodeView {
	return views.CodeView{
		VisitFrame: frame(v, domain.StepCode, f), State: state, Asking: state.Live,
		Now: h.Service.Now(), Location: locationOf(a), Length: h.Service.Settings.CodeLength, NextURL: stepURL(v),
		PromoNeedsPhone: h.Service.Settings.PromoNeedsVerifiedPhone,
		SelfOnly:        a.Store().SelfEntry, SelfURL: h.Service.SelfURL(v), Later: h.Service.Settings.CodeLater,
	}
}

// code draws the step. app.js swaps in a 503 only where it is marked as ours,
// and here the whole page may be one too: it holds the reason and the way on.
func (h *Handlers) code(c echo.Context, status int, v views.CodeView) error {
	if isHTMX(c.Request()) {
		c.Response().Header().Set("Prilavok-Part", "1")
	}
	var err error
	if v.Gifts, err = h.gifts(c, v.Visit, domain.StepCode); err != nil {
		return err
	}
	if v.Visit.VerifiedAt == nil {
		if v.Delivery, err = h.Service.CodeDelivery(c.Request().Context(), v.Visit); err != nil {
			return err
		}
	}
	if !v.Asking || v.SelfOnly {
		// The field is gone, so the summary can't lead to it.
		for i := range v.Faults {
			v.Faults[i].Field = ""
		}
	}
	return render(c, status, views.VisitCodePage(h.page(c, views.T(c.Request().Context(), "step.code")), v), views.VisitCode(v))
}
