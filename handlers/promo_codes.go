package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// PromoCodes lists the codes of the supervisor's programmes.
func (h *Handlers) PromoCodes(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	v := views.PromoCodesView{Filter: promoFilter(c), Now: h.Service.Now()}
	if ids, all := a.SupervisedProgrammes(); !all && len(ids) == 0 {
		v.NoProgrammes = true
	}
	var err error
	if v.Location, err = h.Service.PromoZone(ctx, a, 0); err != nil {
		return err
	}
	if v.Batches, err = h.Service.BatchChoices(ctx, a, v.Filter.BatchID); err != nil {
		return err
	}
	// A batch that nobody could have chosen does not filter.
	if !slices.ContainsFunc(v.Batches, func(b domain.PromoBatch) bool { return b.ID == v.Filter.BatchID }) {
		v.Filter.BatchID = 0
	}
	status := http.StatusOK
	v.Rows, v.More, err = h.Service.SupervisedPromos(ctx, a, v.Filter)
	if fault, ok := domain.FieldsOf(err)["q"]; ok {
		v.Fault, status = views.Say(ctx, fault), h.formStatus(c, err)
	} else if err != nil {
		return err
	}
	if wantsPart(c.Request()) {
		c.Response().Header().Set("HX-Push-Url", v.URL(v.Filter.Before))
	}
	p := h.page(c, views.T(ctx, "promo_codes.title"))
	p.Wide = true
	return render(c, status, views.PromoCodesPage(p, v), views.PromoCodeList(v))
}

// promoFilter reads the query. What nobody could have chosen does not filter.
func promoFilter(c echo.Context) (f domain.PromoFilter) {
	f.Search = domain.FoldSearch(c.QueryParam("q"))
	f.Before, f.BatchID = idIn(c.QueryParam("before")), idIn(c.QueryParam("batch"))
	if k := domain.PromoKind(c.QueryParam("kind")); slices.Contains(domain.PromoKinds(), k) {
		f.Kind = k
	}
	if s := domain.PromoStanding(c.QueryParam("state")); slices.Contains(domain.PromoStandings(), s) {
		f.Standing = s
	}
	return f
}

// idIn reads an id that may be missing or made up; then it is 0.
func idIn(text string) int64 {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}

// ExportPromoCodes answers with the list as a file, with the same filter and
// all of its pages. It is written to a buffer first: half a file that looks
// whole is worse than an error.
func (h *Handlers) ExportPromoCodes(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	loc, err := h.Service.PromoZone(ctx, a, 0)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	buf.WriteString("\ufeff") // without it Excel takes UTF-8 for something older
	w := csv.NewWriter(&buf)
	w.Comma, w.UseCRLF = ';', true
	columns := []string{"code", "kind", "state", "discount_percent", "discount_rub", "uses", "used", "held", "valid_until", "created_at", "batch"}
	if err := w.Write(columns); err != nil {
		return err
	}
	now := h.Service.Now()
	err = h.Service.ExportPromos(ctx, a, promoFilter(c), func(r domain.PromoRow) error {
		return w.Write(promoLine(r, now, loc))
	})
	if err != nil {
		return err
	}
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentDisposition, `attachment; filename="promo-codes.csv"`)
	header.Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", buf.Bytes())
}

// promoLine is one code as cells. The digits are grouped as on paper, which
// keeps a spreadsheet from taking them for a number and dropping a zero.
func promoLine(r domain.PromoRow, now time.Time, loc *time.Location) []string {
	percent, roubles, until := "", "", ""
	if r.Discount.Percent > 0 {
		percent = strconv.Itoa(r.Discount.Percent)
	} else {
		roubles = strconv.FormatInt(r.Discount.Kopecks/100, 10)
		if rest := r.Discount.Kopecks % 100; rest != 0 {
			roubles += "," + strconv.FormatInt(100+rest, 10)[1:]
		}
	}
	if r.ExpiresAt != nil {
		until = r.LastDay().In(loc).Format(time.DateOnly)
	}
	return []string{
		views.PromoCode(r.Code), string(r.Kind), string(r.Standing(now)), percent, roubles, strconv.Itoa(r.MaxUses),
		strconv.Itoa(r.Spent()), strconv.Itoa(r.Held), until, r.CreatedAt.In(loc).Format("2006-01-02 15:04"), inert(r.BatchTitle),
	}
}

// inert keeps a spreadsheet from running what a person has typed.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// ShowPromoCode shows one code with its uses, refusals and history.
func (h *Handlers) ShowPromoCode(c echo.Context) error {
	d, err := h.promoDetails(c)
	if err != nil {
		return err
	}
	p := h.page(c, views.T(c.Request().Context(), "promo_code.title", "Code", views.PromoCode(d.Code)))
	p.Wide = true
	return render(c, http.StatusOK, views.PromoCodePage(p, views.PromoCodeView{PromoDetails: d, BackURL: backInside(c.QueryParam("back"), "/promo-codes")}), nil)
}

// promoDetails reads the code that the address names.
func (h *Handlers) promoDetails(c echo.Context) (domain.PromoDetails, error) {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return domain.PromoDetails{}, err
	}
	return h.Service.SupervisedPromo(c.Request().Context(), a, id)
}

// NewPromoFreeze asks whether a code shall be frozen.
func (h *Handlers) NewPromoFreeze(c echo.Context) error { return h.newPromoChange(c, "freeze") }

// CreatePromoFreeze freezes a code.
func (h *Handlers) CreatePromoFreeze(c echo.Context) error {
	return h.createPromoChange(c, "freeze", func(ctx context.Context, a domain.Actor, id int64, v views.PromoChangeView) error {
		return h.Service.FreezePromo(ctx, a, id, v.Reason)
	})
}

// NewPromoThaw asks whether a code shall be thawed.
func (h *Handlers) NewPromoThaw(c echo.Context) error { return h.newPromoChange(c, "thaw") }

// CreatePromoThaw thaws a code.
func (h *Handlers) CreatePromoThaw(c echo.Context) error {
	return h.createPromoChange(c, "thaw", func(ctx context.Context, a domain.Actor, id int64, v views.PromoChangeView) error {
		return h.Service.ThawPromo(ctx, a, id, v.Reason)
	})
}

// NewPromoExtension asks until when a code shall be good.
func (h *Handlers) NewPromoExtension(c echo.Context) error { return h.newPromoChange(c, "extend") }

// CreatePromoExtension makes a code good for longer.
func (h *Handlers) CreatePromoExtension(c echo.Context) error {
	return h.createPromoChange(c, "extend", func(ctx context.Context, a domain.Actor, id int64, v views.PromoChangeView) error {
		return h.Service.ExtendPromo(ctx, a, id, domain.ExtensionForm{LastDay: v.LastDay, NoEnd: v.NoEnd, Reason: v.Reason})
	})
}

func (h *Handlers) newPromoChange(c echo.Context, verb string) error {
	d, err := h.promoDetails(c)
	if err != nil {
		return err
	}
	return h.promoChange(c, http.StatusOK, d, views.PromoChangeView{Verb: verb})
}

// createPromoChange reads the form, which is the same for all three, and lets
// change do it.
func (h *Handlers) createPromoChange(c echo.Context, verb string,
	change func(ctx context.Context, a domain.Actor, id int64, v views.PromoChangeView) error,
) error {
	a, _ := actorOf(c)
	id, err := visitID(c)
	if err != nil {
		return err
	}
	v := views.PromoChangeView{
		Verb: verb, Reason: c.FormValue("reason"), LastDay: c.FormValue("last_day"), NoEnd: c.FormValue("no_end") != "",
	}
	if err := change(c.Request().Context(), a, id, v); err != nil {
		if !inForm(err) {
			return err
		}
		d, missing := h.promoDetails(c)
		if missing != nil {
			return missing
		}
		v.Faults = faults(c, err, "last_day", "reason")
		return h.promoChange(c, h.formStatus(c, err), d, v)
	}
	return redirect(c, "/promo-codes/"+strconv.FormatInt(id, 10))
}

func (h *Handlers) promoChange(c echo.Context, status int, d domain.PromoDetails, v views.PromoChangeView) error {
	v.Row, v.Location = d.PromoRow, d.Location
	p := h.page(c, views.T(c.Request().Context(), "promo_code.title", "Code", views.PromoCode(d.Code)))
	return render(c, status, views.PromoChangePage(p, v), views.PromoChange(v))
}
