package handlers

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

const (
	sessionName  = "prilavok_session"
	languageName = "prilavok_language"
	// deviceName is what a device keeps of who has signed in from it. Only
	// signing in has a use for it, so it goes nowhere else.
	deviceName = "prilavok_device"
	actorKey   = "actor"
)

// Keys of what a session holds. JSON turns numbers into float64, so ids are
// read through int64Of.
const (
	staffKey = "staff"
	storeKey = "store"
	backKey  = "back" // the page to go on with after signing in; see arrive
)

func actorOf(c echo.Context) (domain.Actor, bool) {
	a, ok := c.Get(actorKey).(domain.Actor)
	return a, ok
}

func int64Of(v any) int64 {
	switch n := v.(type) {
	case float64:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// Language puts the reader's language into the context: the cookie's, or
// Russian.
func (h *Handlers) Language(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		lang := views.Russian
		if cookie, err := c.Cookie(languageName); err == nil {
			lang = cookie.Value
		}
		c.SetRequest(c.Request().WithContext(views.WithLanguage(c.Request().Context(), lang)))
		return next(c)
	}
}

// SignedIn admits members of staff and loads who they are now, so that a
// changed role or a closed account counts from the next request on.
func (h *Handlers) SignedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		s, err := h.identify(c)
		if err != nil {
			return err
		}
		arrive(c, s)
		// The lifetime slides: the store writes only when there is reason to. Where
		// it can't, a way back ends later, and no page is taken away for that.
		if err := h.Sessions.Save(c.Request(), c.Response(), s); err != nil && domain.KindOf(err) != domain.Unavailable {
			return err
		}
		return next(c)
	}
}

// Known is SignedIn for a page that is everybody's: whoever is signed in sees
// their own frame round it, and nobody is turned away.
func (h *Handlers) Known(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		_, _ = h.identify(c)
		return next(c)
	}
}

// identify puts the member of staff behind the session into the context.
func (h *Handlers) identify(c echo.Context) (*sessions.Session, error) {
	s, err := h.Sessions.Get(c.Request(), sessionName)
	if err != nil {
		return nil, err
	}
	id := int64Of(s.Values[staffKey])
	if s.IsNew || id == 0 {
		return nil, &domain.Error{Kind: domain.Unauthenticated, Message: domain.Say("error.sign_in")}
	}
	staff, err := h.Service.DB.StaffByID(c.Request().Context(), id)
	if domain.IsNotFound(err) || err == nil && !staff.Active {
		return nil, &domain.Error{Kind: domain.Unauthenticated, Message: domain.Say("error.sign_in")}
	}
	if err != nil {
		return nil, err
	}
	a := domain.Actor{Staff: staff, StoreID: int64Of(s.Values[storeKey]), Address: c.RealIP()}
	if !staff.Assigned(a.StoreID) {
		a.StoreID = 0
	}
	if a.StoreID == 0 && a.Role == domain.Advisor && len(a.Stores) == 1 {
		a.StoreID = a.Stores[0].ID
	}
	c.Set(actorKey, a)
	return s, nil
}

// Only admits some roles; the others are told that this room is not theirs.
func Only(roles ...domain.Role) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if a, ok := actorOf(c); !ok || !slices.Contains(roles, a.Role) {
				return &domain.Error{Kind: domain.Forbidden, Message: domain.Say("error.forbidden")}
			}
			return next(c)
		}
	}
}

// AtStore sends an advisor who has not chosen a store to the choice. It leaves
// the page behind, as signing in does: a form that came here has not arrived.
func AtStore(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if a, ok := actorOf(c); ok && a.Role == domain.Advisor && a.StoreID == 0 {
			return leave(c, "/store")
		}
		return next(c)
	}
}

// Home leads everybody to their first screen.
func (h *Handlers) Home(c echo.Context) error {
	a, _ := actorOf(c)
	if a.Supervises() {
		return redirect(c, "/visits")
	}
	return redirect(c, "/counter")
}

// arrive ends the way back that signing in began, at the first page behind the
// choice of a store, and remembers whether that is the page it leads to.
func arrive(c echo.Context, s *sessions.Session) {
	back, _ := s.Values[backKey].(string)
	if a, _ := actorOf(c); back == "" || a.Role == domain.Advisor && a.StoreID == 0 {
		return
	}
	delete(s.Values, backKey)
	c.Set(backKey, back == c.Request().URL.RequestURI())
}

// arriving tells whether this is the page that signing in has led back to.
// Whoever has signed in after somebody else need not be let in there.
func arriving(c echo.Context) bool {
	yes, _ := c.Get(backKey).(bool)
	return yes
}

// signInURL is the sign-in form, which leads back to where this request came
// from: to the page it asked for, or to the page with its form or with the link
// to its file. A file is no page to go on with.
func (h *Handlers) signInURL(c echo.Context) string {
	back := h.backTo(c)
	m, file := c.Request().Method, path.Ext(c.Path()) != ""
	if (m == http.MethodGet || m == http.MethodHead) && !wantsPart(c.Request()) && !file {
		back = localPath(c.Request().URL.RequestURI())
	}
	if back == "/" {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{backKey: {back}}.Encode()
}

// NewSession shows the sign-in form.
func (h *Handlers) NewSession(c echo.Context) error {
	return h.signIn(c, http.StatusOK, views.SignInView{Back: localPath(c.QueryParam(backKey))})
}

func (h *Handlers) signIn(c echo.Context, status int, v views.SignInView) error {
	return render(c, status, views.SignInPage(h.page(c, views.T(c.Request().Context(), "sign_in.title")), v), views.SignIn(v))
}

// CreateSession signs in: the session gets a new id, and whoever planted the
// old one holds nothing.
func (h *Handlers) CreateSession(c echo.Context) error {
	login, back := c.FormValue("login"), localPath(c.FormValue(backKey))
	form := domain.SignInForm{Login: login, Password: c.FormValue("password"), Address: c.RealIP()}
	if cookie, err := c.Cookie(deviceName); err == nil {
		form.Device = cookie.Value
	}
	in, err := h.Service.SignIn(c.Request().Context(), form)
	if err != nil {
		if !inForm(err) {
			return err
		}
		v := views.SignInView{Login: login, Back: back, Faults: faults(c, err, "login", "password")}
		return h.signIn(c, h.formStatus(c, err), v)
	}
	s, err := h.Sessions.Get(c.Request(), sessionName)
	if err != nil {
		return err
	}
	// Somebody else's store does not come along.
	delete(s.Values, storeKey)
	delete(s.Values, backKey)
	if back != "/" {
		s.Values[backKey] = back
	}
	s.Values[staffKey] = in.Staff.ID
	h.Sessions.Renew(s)
	if err := h.Sessions.Save(c.Request(), c.Response(), s); err != nil {
		return err
	}
	if _, err := c.Cookie(languageName); err != nil {
		h.setLanguage(c, in.Staff.Language)
	}
	c.SetCookie(&http.Cookie{
		Name: deviceName, Value: in.Device, Path: "/sign-in", MaxAge: int(domain.DeviceKept.Seconds()),
		HttpOnly: true, Secure: h.Secure, SameSite: http.SameSiteLaxMode,
	})
	return leave(c, back)
}

// DestroySession signs out on the server; the cookie is only swept up.
func (h *Handlers) DestroySession(c echo.Context) error {
	s, err := h.Sessions.Get(c.Request(), sessionName)
	if err != nil {
		return err
	}
	if s.Options == nil {
		s.Options = &sessions.Options{}
	}
	s.Options.MaxAge = -1
	if err := h.Sessions.Save(c.Request(), c.Response(), s); err != nil {
		return err
	}
	return leave(c, "/sign-in")
}

// UpdateLanguage switches the language and comes back.
func (h *Handlers) UpdateLanguage(c echo.Context) error {
	h.setLanguage(c, c.FormValue("language"))
	return leave(c, localPath(c.FormValue("back")))
}

func (h *Handlers) setLanguage(c echo.Context, lang string) {
	if lang != views.English {
		lang = views.Russian
	}
	c.SetCookie(&http.Cookie{
		Name: languageName, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: h.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// maxBack is longer than any address of ours with its filters.
const maxBack = 1000

// localPath keeps a way back inside of this program: a path and query, never
// another host.
func localPath(back string) string {
	u, err := url.Parse(back)
	if err != nil || len(back) > maxBack || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(back, "\\") {
		return "/"
	}
	return u.RequestURI()
}

// backTo is the page a form stood on, for answers to a POST. Behind a proxy the
// host may be that proxy's, and the page's is the one of the public address.
func (h *Handlers) backTo(c echo.Context) string {
	ref, err := url.Parse(c.Request().Referer())
	if err != nil || ref.Host != c.Request().Host && ref.Scheme+"://"+ref.Host != h.Service.SiteURL {
		return "/"
	}
	return localPath(ref.RequestURI())
}
