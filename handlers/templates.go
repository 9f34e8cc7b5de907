package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// Templates lists the texts of SMS of every programme.
func (h *Handlers) Templates(c echo.Context) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	list, err := h.Service.Templates(ctx, a)
	if err != nil {
		return err
	}
	p := h.page(c, views.T(ctx, "templates.title"))
	p.Wide = true
	return render(c, http.StatusOK, views.TemplatesPage(p, list), nil)
}

// templateKey reads which text an address is about.
func templateKey(c echo.Context) domain.TemplateKey {
	// What is no number is no programme's.
	id, _ := strconv.ParseInt(c.Param("programme"), 10, 64)
	return domain.TemplateKey{ProgrammeID: id, Kind: domain.MessageKind(c.Param("kind")), Language: c.Param("language")}
}

// EditTemplate shows the text that counts now.
func (h *Handlers) EditTemplate(c echo.Context) error {
	v := views.TemplateView{}
	switch c.QueryParam("saved") {
	case "yes", "same":
		v.Saved = c.QueryParam("saved")
	}
	return h.template(c, http.StatusOK, v)
}

// typedTemplate is the form as it came.
func typedTemplate(c echo.Context) views.TemplateView {
	return views.TemplateView{Typed: true, Body: c.FormValue("body"), Phone: c.FormValue("phone"), RequestID: c.FormValue("request_id")}
}

// UpdateTemplate saves a text as a new version.
func (h *Handlers) UpdateTemplate(c echo.Context) error {
	a, _ := actorOf(c)
	form := domain.TemplateForm{TemplateKey: templateKey(c), From: number(c, "version"), Body: c.FormValue("body")}
	saved, err := h.Service.SaveTemplate(c.Request().Context(), a, form)
	return h.savedTemplate(c, saved, err, typedTemplate(c))
}

// CreateTemplateRestoration makes an older version count again.
func (h *Handlers) CreateTemplateRestoration(c echo.Context) error {
	a, _ := actorOf(c)
	saved, err := h.Service.RestoreTemplate(c.Request().Context(), a, templateKey(c), number(c, "version"), number(c, "restore"))
	return h.savedTemplate(c, saved, err, views.TemplateView{})
}

// number reads a field that no person types; -1 where it is none.
func number(c echo.Context, field string) int {
	n, err := strconv.Atoi(c.FormValue(field))
	if err != nil {
		return -1
	}
	return n
}

func (h *Handlers) savedTemplate(c echo.Context, saved bool, err error, v views.TemplateView) error {
	switch {
	case err == nil && saved:
		return redirect(c, views.TemplateURL(templateKey(c))+"?saved=yes")
	case err == nil:
		return redirect(c, views.TemplateURL(templateKey(c))+"?saved=same")
	case !inForm(err):
		return err
	}
	// With two texts side by side, the next press is a decision.
	v.Newer = domain.KindOf(err) == domain.Conflict
	v.Faults = faults(c, err, "body")
	return h.template(c, h.formStatus(c, err), v)
}

// PreviewTemplate shows a text that is being typed as it will come to a phone.
func (h *Handlers) PreviewTemplate(c echo.Context) error {
	return h.template(c, http.StatusOK, typedTemplate(c))
}

// CreateTemplateTrial sends a text, as it stands typed, to one's own phone.
func (h *Handlers) CreateTemplateTrial(c echo.Context) error {
	a, _ := actorOf(c)
	v := typedTemplate(c)
	m, err := h.Service.SendTrial(c.Request().Context(), a, domain.TrialForm{
		TemplateKey: templateKey(c), RequestID: v.RequestID, Body: v.Body, Phone: v.Phone,
	})
	// The next press is another sending, whatever became of this one.
	v.RequestID = ""
	if err != nil {
		if !inForm(err) {
			return err
		}
		v.Faults = faults(c, err, "body", "phone")
		return h.template(c, h.formStatus(c, err), v)
	}
	v.Trial = &m
	return h.template(c, http.StatusOK, v)
}

// template answers with the form; one that is only being previewed by htmx gets
// the preview alone.
func (h *Handlers) template(c echo.Context, status int, v views.TemplateView) error {
	a, _ := actorOf(c)
	ctx := c.Request().Context()
	d, err := h.Service.Template(ctx, a, templateKey(c))
	if err != nil {
		return err
	}
	v.Details, v.Demo = d, h.Inbox != nil
	if !v.Typed {
		v.Body = d.Current.Body
	}
	// The form is made from what counts now, so that whoever was told of a
	// newer text can still choose theirs. Otherwise it goes on from where it was.
	v.Version = d.Current.Version
	if from := number(c, "version"); v.Typed && !v.Newer && from >= 0 {
		v.Version = from
	}
	if v.RequestID == "" {
		v.RequestID = domain.RandomToken(16)
	}
	preview, err := h.Service.PreviewTemplate(ctx, a, d.TemplateKey, v.Body)
	switch {
	case err == nil:
		v.Preview = &preview
	case domain.KindOf(err) != domain.Invalid:
		return err
	default:
		v.PreviewFault = views.Say(ctx, domain.FieldsOf(err)["body"])
	}
	if c.Path() == "/templates/:programme/:kind/:language/preview" {
		// Alone it tells the fault itself; on the page the field does.
		part := views.TemplatePreview(v)
		if v.PreviewFault != "" {
			status, v.Faults = h.formStatus(c, err), faults(c, err, "body")
		}
		return render(c, status, views.TemplatePage(h.templatePage(c, d), v), part)
	}
	return render(c, status, views.TemplatePage(h.templatePage(c, d), v), views.TemplateEdit(v))
}

func (h *Handlers) templatePage(c echo.Context, d domain.TemplateDetails) views.Page {
	p := h.page(c, views.T(c.Request().Context(), "message.kind."+string(d.Kind)))
	p.Wide = true
	if c.Request().Method != http.MethodGet {
		p.Path = views.TemplateURL(d.TemplateKey)
	}
	return p
}
