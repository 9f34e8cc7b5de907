package main

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/handlers"
	"prilavok/static"
)

// access says who may enter a route.
type access int

const (
	everybody      access = iota
	shown                 // everybody, in their own frame where they are signed in
	staff                 // anybody who is signed in
	advisors              // advisors; the visit itself must be theirs too, which the domain sees to
	supervisors           // supervisors and administrators; what they see is limited to their stores
	counter               // every role, an advisor only at a chosen store
	administrators        // administrators alone
)

// route is one line of the URL table.
type route struct {
	method, path string
	access       access
	handler      func(*handlers.Handlers, echo.Context) error
}

// importPath is the one form that may be long; see maxImport.
const importPath = "/promo-batches/import"

// routes is every URL of the program. A state change is a new resource, so
// that a handler does one thing.
var routes = []route{
	{http.MethodGet, "/healthz", everybody, (*handlers.Handlers).Healthz},
	{http.MethodGet, "/readyz", everybody, (*handlers.Handlers).Readyz},

	{http.MethodGet, "/sign-in", everybody, (*handlers.Handlers).NewSession},
	{http.MethodPost, "/sign-in", everybody, (*handlers.Handlers).CreateSession},
	{http.MethodPost, "/sign-out", everybody, (*handlers.Handlers).DestroySession},
	{http.MethodPost, "/language", everybody, (*handlers.Handlers).UpdateLanguage},

	{http.MethodGet, "/", staff, (*handlers.Handlers).Home},
	{http.MethodGet, "/store", advisors, (*handlers.Handlers).EditStore},
	{http.MethodPost, "/store", advisors, (*handlers.Handlers).UpdateStore},
	{http.MethodGet, "/promo-check", counter, (*handlers.Handlers).NewPromoCheck},
	{http.MethodPost, "/promo-check", counter, (*handlers.Handlers).CreatePromoCheck},

	{http.MethodGet, "/counter", advisors, (*handlers.Handlers).Counter},
	{http.MethodPost, "/visits", advisors, (*handlers.Handlers).CreateVisit},
	{http.MethodGet, "/visits/:id/age", advisors, (*handlers.Handlers).EditAge},
	{http.MethodPost, "/visits/:id/age", advisors, (*handlers.Handlers).UpdateAge},
	{http.MethodGet, "/visits/:id/consents", advisors, (*handlers.Handlers).EditConsents},
	{http.MethodPost, "/visits/:id/consents", advisors, (*handlers.Handlers).UpdateConsents},
	{http.MethodGet, "/visits/:id/contact", advisors, (*handlers.Handlers).EditContact},
	{http.MethodPost, "/visits/:id/contact", advisors, (*handlers.Handlers).UpdateContact},
	{http.MethodGet, "/visits/:id/code", advisors, (*handlers.Handlers).EditCode},
	{http.MethodGet, "/visits/:id/code/help", advisors, (*handlers.Handlers).CodeHelp},
	{http.MethodPost, "/visits/:id/code/sends", advisors, (*handlers.Handlers).CreateCodeSend},
	{http.MethodPost, "/visits/:id/code/checks", advisors, (*handlers.Handlers).CreateCodeCheck},
	{http.MethodPost, "/visits/:id/code/skips", advisors, (*handlers.Handlers).CreateCodeSkip},
	{http.MethodPost, "/visits/:id/code/deferrals", advisors, (*handlers.Handlers).CreateCodeDeferral},
	{http.MethodGet, "/visits/:id/code/qr", advisors, (*handlers.Handlers).ShowCodeQR},
	{http.MethodGet, "/visits/:id/code/status", advisors, (*handlers.Handlers).ShowCodeStatus},
	{http.MethodGet, "/visits/:id/promo", advisors, (*handlers.Handlers).EditPromo},
	{http.MethodPost, "/visits/:id/promo", advisors, (*handlers.Handlers).UpdatePromo},
	{http.MethodPost, "/visits/:id/promo/releases", advisors, (*handlers.Handlers).CreatePromoRelease},
	{http.MethodGet, "/visits/:id/outcome", advisors, (*handlers.Handlers).EditOutcome},
	{http.MethodPost, "/visits/:id/outcome", advisors, (*handlers.Handlers).UpdateOutcome},
	{http.MethodPost, "/visits/:id/gifts", advisors, (*handlers.Handlers).CreateGiftCollection},
	{http.MethodGet, "/visits/:id/summary", advisors, (*handlers.Handlers).ShowSummary},

	{http.MethodGet, "/visits", supervisors, (*handlers.Handlers).Visits},
	{http.MethodGet, "/visits/:id", counter, (*handlers.Handlers).ShowVisit},
	{http.MethodGet, "/limits", supervisors, (*handlers.Handlers).Limits},
	{http.MethodGet, "/limits/:id", supervisors, (*handlers.Handlers).EditLimit},
	{http.MethodPost, "/limits/:id/lifts", supervisors, (*handlers.Handlers).CreateLimitLift},
	{http.MethodGet, "/visits/:id/void", supervisors, (*handlers.Handlers).NewVoid},
	{http.MethodPost, "/visits/:id/void", supervisors, (*handlers.Handlers).CreateVoid},

	{http.MethodGet, "/promo-codes", supervisors, (*handlers.Handlers).PromoCodes},
	{http.MethodGet, "/promo-codes.csv", supervisors, (*handlers.Handlers).ExportPromoCodes},
	{http.MethodGet, "/promo-codes/:id", supervisors, (*handlers.Handlers).ShowPromoCode},
	{http.MethodGet, "/promo-codes/:id/freezes", supervisors, (*handlers.Handlers).NewPromoFreeze},
	{http.MethodPost, "/promo-codes/:id/freezes", supervisors, (*handlers.Handlers).CreatePromoFreeze},
	{http.MethodGet, "/promo-codes/:id/thaws", supervisors, (*handlers.Handlers).NewPromoThaw},
	{http.MethodPost, "/promo-codes/:id/thaws", supervisors, (*handlers.Handlers).CreatePromoThaw},
	{http.MethodGet, "/promo-codes/:id/extensions", supervisors, (*handlers.Handlers).NewPromoExtension},
	{http.MethodPost, "/promo-codes/:id/extensions", supervisors, (*handlers.Handlers).CreatePromoExtension},
	{http.MethodGet, "/promo-batches", supervisors, (*handlers.Handlers).PromoBatches},
	{http.MethodGet, "/promo-batches/new", supervisors, (*handlers.Handlers).NewPromoBatch},
	{http.MethodPost, "/promo-batches/new", supervisors, (*handlers.Handlers).CreatePromoBatch},
	{http.MethodGet, importPath, supervisors, (*handlers.Handlers).NewPromoImport},
	{http.MethodPost, importPath, supervisors, (*handlers.Handlers).CreatePromoImport},

	{http.MethodGet, "/messages", supervisors, (*handlers.Handlers).Messages},
	{http.MethodGet, "/messages/:id", supervisors, (*handlers.Handlers).ShowMessage},
	{http.MethodGet, "/incoming", supervisors, (*handlers.Handlers).Incoming},
	{http.MethodPost, "/incoming/:id/seen", supervisors, (*handlers.Handlers).CreateIncomingSeen},
	{http.MethodGet, "/incoming/:id/stops", supervisors, (*handlers.Handlers).NewIncomingStop},
	{http.MethodPost, "/incoming/:id/stops", supervisors, (*handlers.Handlers).CreateIncomingStop},
	{http.MethodGet, "/withdrawals", supervisors, (*handlers.Handlers).Withdrawals},
	{http.MethodPost, "/withdrawals", supervisors, (*handlers.Handlers).CreateWithdrawal},

	{http.MethodGet, "/stores", administrators, (*handlers.Handlers).Stores},
	{http.MethodPost, "/stores/:id/self-entry", administrators, (*handlers.Handlers).UpdateSelfEntry},
	{http.MethodGet, "/templates", administrators, (*handlers.Handlers).Templates},
	{http.MethodGet, "/templates/:programme/:kind/:language", administrators, (*handlers.Handlers).EditTemplate},
	{http.MethodPost, "/templates/:programme/:kind/:language", administrators, (*handlers.Handlers).UpdateTemplate},
	{http.MethodPost, "/templates/:programme/:kind/:language/preview", administrators, (*handlers.Handlers).PreviewTemplate},
	{http.MethodPost, "/templates/:programme/:kind/:language/restorations", administrators, (*handlers.Handlers).CreateTemplateRestoration},
	{http.MethodPost, "/templates/:programme/:kind/:language/trials", administrators, (*handlers.Handlers).CreateTemplateTrial},
	{http.MethodGet, "/gateways", administrators, (*handlers.Handlers).Gateways},

	// The customer's own page. Its address stands in a QR, so it is short.
	{http.MethodGet, "/c/:token", everybody, (*handlers.Handlers).ShowSelfEntry},
	{http.MethodPost, "/c/:token/checks", everybody, (*handlers.Handlers).CreateSelfCheck},
	{http.MethodPost, "/c/:token/sends", everybody, (*handlers.Handlers).CreateSelfSend},

	// What a customer has from us, by the link in an SMS.
	{http.MethodGet, "/m/erased", everybody, (*handlers.Handlers).CustomerErased},
	{http.MethodGet, "/m/:token", everybody, (*handlers.Handlers).ShowCustomer},
	{http.MethodGet, "/m/:token/codes/:id/qr", everybody, (*handlers.Handlers).ShowCustomerQR},
	{http.MethodGet, "/m/:token/stop", everybody, (*handlers.Handlers).NewCustomerStop},
	{http.MethodPost, "/m/:token/stop", everybody, (*handlers.Handlers).CreateCustomerStop},
	{http.MethodPost, "/m/:token/data-requests", everybody, (*handlers.Handlers).CreateCustomerRequest},
	{http.MethodGet, "/m/:token/data", everybody, (*handlers.Handlers).ShowCustomerData},
	{http.MethodGet, "/m/:token/erasure", everybody, (*handlers.Handlers).NewCustomerErasure},
	{http.MethodPost, "/m/:token/erasure", everybody, (*handlers.Handlers).CreateCustomerErasure},

	// Where gateways call; the key is unguessable, and each has its own.
	{http.MethodGet, "/g/:key/reports", everybody, (*handlers.Handlers).CreateDeliveryReports},
	{http.MethodPost, "/g/:key/reports", everybody, (*handlers.Handlers).CreateDeliveryReports},
	{http.MethodGet, "/g/:key/incoming", everybody, (*handlers.Handlers).CreateIncoming},
	{http.MethodPost, "/g/:key/incoming", everybody, (*handlers.Handlers).CreateIncoming},

	{http.MethodGet, "/handset", shown, (*handlers.Handlers).Handset},
	{http.MethodPost, "/handset/messages/:id/sendings", shown, (*handlers.Handlers).CreateHandsetSending},
}

// deeds are the addresses where a GET does something: gateways call so.
var deeds = []string{"/g/:key/reports", "/g/:key/incoming"}

// register puts the table into echo, each line behind the doors of its
// access. What answers a GET answers a HEAD too, with the same doors.
func register(e *echo.Echo, h *handlers.Handlers) {
	doors := map[access][]echo.MiddlewareFunc{
		everybody:      nil,
		shown:          {h.Known},
		staff:          {h.SignedIn},
		advisors:       {h.SignedIn, handlers.Only(domain.Advisor)},
		supervisors:    {h.SignedIn, handlers.Only(domain.Supervisor, domain.Administrator)},
		counter:        {h.SignedIn, handlers.AtStore},
		administrators: {h.SignedIn, handlers.Only(domain.Administrator)},
	}
	for _, r := range routes {
		middleware := doors[r.access]
		if r.access == advisors && r.path != "/store" {
			middleware = append(middleware[:len(middleware):len(middleware)], handlers.AtStore)
		}
		e.Add(r.method, r.path, func(c echo.Context) error { return r.handler(h, c) }, middleware...)
		if r.method != http.MethodGet {
			continue
		}
		look := r.handler
		if slices.Contains(deeds, r.path) {
			look = (*handlers.Handlers).LookAtCallback
		}
		e.HEAD(r.path, func(c echo.Context) error { return look(h, c) }, append([]echo.MiddlewareFunc{handlers.AsGet}, middleware...)...)
	}
	e.Match([]string{http.MethodGet, http.MethodHead}, "/static/*", echo.WrapHandler(static.Handler()))
}
