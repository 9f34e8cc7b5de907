package handlers

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// PromoBatches lists the batches of the supervisor's programmes.
func (h *Handlers) PromoBatches(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	v := views.PromoBatchesView{Before: idIn(c.QueryParam("before"))}
	if ids, all := a.SupervisedProgrammes(); !all && len(ids) == 0 {
		v.NoProgrammes = true
	}
	var err error
	if v.Location, err = h.Service.PromoZone(ctx, a, 0); err != nil {
		return err
	}
	if v.Rows, v.More, err = h.Service.SupervisedBatches(ctx, a, v.Before); err != nil {
		return err
	}
	p := h.page(c, views.T(ctx, "promo_batches.title"))
	p.Wide = true
	return render(c, http.StatusOK, views.PromoBatchesPage(p, v), nil)
}

// NewPromoBatch shows the empty form of a batch.
func (h *Handlers) NewPromoBatch(c echo.Context) error {
	return h.promoBatch(c, http.StatusOK, views.PromoBatchView{Form: domain.BatchForm{RequestID: domain.RandomToken(16), Uses: "1"}})
}

// CreatePromoBatch makes the codes of a batch and leads to them.
func (h *Handlers) CreatePromoBatch(c echo.Context) error {
	a, _ := actorOf(c)
	v := views.PromoBatchView{Form: domain.BatchForm{
		RequestID: c.FormValue("request_id"), ProgrammeID: idIn(c.FormValue("programme")), Title: c.FormValue("title"),
		Size: c.FormValue("size"), Discount: c.FormValue("discount"), Percent: c.FormValue("percent"),
		Roubles: c.FormValue("roubles"), Uses: c.FormValue("uses"), LastDay: c.FormValue("last_day"),
	}}
	batch, err := h.Service.CreateBatch(c.Request().Context(), a, v.Form)
	if err != nil {
		if !inForm(err) {
			return err
		}
		v.Form.RequestID = freshIfStale(v.Form.RequestID, err)
		v.Faults = faults(c, err, "programme", "title", "size", "discount", "percent", "roubles", "uses", "last_day")
		return h.promoBatch(c, h.formStatus(c, err), v)
	}
	return redirect(c, batchPath(batch))
}

func (h *Handlers) promoBatch(c echo.Context, status int, v views.PromoBatchView) (err error) {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	if v.Programmes, err = h.Service.PromoProgrammes(ctx, a); err != nil {
		return err
	}
	return render(c, status, views.PromoBatchPage(h.page(c, views.T(ctx, "promo_batch.title")), v), views.PromoBatch(v))
}

func batchPath(b domain.PromoBatch) string {
	return "/promo-codes?batch=" + strconv.FormatInt(b.ID, 10)
}

// freshIfStale gives a form whose request id was refused another one, so that
// sending it once more helps.
func freshIfStale(requestID string, err error) string {
	if messageOf(err).Key == "error.form_stale" {
		return domain.RandomToken(16)
	}
	return requestID
}

// NewPromoImport shows the empty form of an import.
func (h *Handlers) NewPromoImport(c echo.Context) error {
	return h.promoImport(c, http.StatusOK, views.PromoImportView{RequestID: domain.RandomToken(16)})
}

// CreatePromoImport adds the codes of a file or a pasted text, or reports
// every line that is wrong with the text below, to be mended.
func (h *Handlers) CreatePromoImport(c echo.Context) error {
	a, _ := actorOf(c)
	v := views.PromoImportView{
		RequestID: c.FormValue("request_id"), ProgrammeID: idIn(c.FormValue("programme")),
		Title: c.FormValue("title"), Text: c.FormValue("text"),
	}
	if err := uploaded(c, "file", &v.Text); err != nil {
		return err
	}
	batch, err := h.Service.ImportCodes(c.Request().Context(), a, domain.ImportForm{
		RequestID: v.RequestID, ProgrammeID: v.ProgrammeID, Title: v.Title, Text: v.Text,
	})
	if err != nil {
		if !inForm(err) {
			return err
		}
		v.RequestID = freshIfStale(v.RequestID, err)
		errors.As(err, &v.Lines)
		v.Faults = faults(c, err, "programme", "title", "text")
		return h.promoImport(c, h.formStatus(c, err), v)
	}
	return redirect(c, batchPath(batch))
}

func (h *Handlers) promoImport(c echo.Context, status int, v views.PromoImportView) (err error) {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	if v.Programmes, err = h.Service.PromoProgrammes(ctx, a); err != nil {
		return err
	}
	v.Text, v.Timeout = domain.CleanImport(v.Text), h.UploadTimeout+answerTime
	return render(c, status, views.PromoImportPage(h.page(c, views.T(ctx, "promo_import.title")), v), views.PromoImport(v))
}
