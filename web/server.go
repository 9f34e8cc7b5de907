package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"prilavok/domain"
	"prilavok/handlers"
	"prilavok/web/redisstore"
)

// contentPolicy lets a page load nothing from another host and run nothing
// inline. style-src needs no exception: htmx is told to bring no styles.
const contentPolicy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// maxBody is far above any form here but one, in bytes as echo reads them.
// maxImport is for that one: a file and a pasted text, a mebibyte each, and
// the rest of their form.
const (
	maxBody   = "64K"
	maxImport = "2112K"
)

// newServer puts the handlers behind what every request passes.
func newServer(cfg Config, h *handlers.Handlers, log *slog.Logger) (*http.Server, error) {
	crossOrigin := http.NewCrossOriginProtection()
	if cfg.PublicURL != "" {
		// A proxy may put its own name into Host; the public origin stays ours.
		if err := crossOrigin.AddTrustedOrigin(cfg.PublicURL); err != nil {
			return nil, err
		}
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = h.Error
	e.IPExtractor = addressReader(cfg.TrustedProxies)
	e.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			// A client must not choose what stands in our log.
			c.Request().Header.Del(echo.HeaderXRequestID)
			c.SetRequest(c.Request().WithContext(redisstore.OneRequest(c.Request().Context())))
			return next(c)
		}
	})
	e.Use(
		middleware.RequestID(),
		accessLog(log),
		middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: func(_ echo.Context, err error, stack []byte) error {
			log.Error("panic", slog.String("error", err.Error()), slog.String("stack", string(stack)))
			return &domain.Error{Kind: domain.Internal, Err: err}
		}}),
		securityHeaders(h.Secure),
		handlers.Arrival(uploadTime(cfg), time.Now),
		middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: maxBody, Skipper: long}),
		middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: maxImport}),
		middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1024}),
		h.Language,
		handlers.Readable,
		sameOrigin(crossOrigin),
	)
	register(e, h)
	return &http.Server{
		Handler:           e,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       cfg.RequestTimeout,
		WriteTimeout:      cfg.RequestTimeout + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}, nil
}

// long tells the form that may be longer than the others.
func long(c echo.Context) bool { return c.Path() == importPath }

// uploadTime gives the form with a file longer to come in than the others.
func uploadTime(cfg Config) func(echo.Context) time.Duration {
	return func(c echo.Context) time.Duration {
		if long(c) && c.Request().Method == http.MethodPost {
			return cfg.UploadTimeout
		}
		return 0
	}
}

// sameOrigin refuses what another site's page sends in somebody's name. It
// stands behind the other layers, so that its answer has their headers, its
// line in the log and the reader's language.
func sameOrigin(protection *http.CrossOriginProtection) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if err := protection.Check(c.Request()); err != nil {
				return &domain.Error{Kind: domain.Forbidden, Message: domain.Say("error.cross_origin"), Err: err}
			}
			return next(c)
		}
	}
}

func securityHeaders(secure bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			h.Set("Content-Security-Policy", contentPolicy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("X-Frame-Options", "DENY")
			h.Set("Referrer-Policy", "same-origin")
			h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			if secure {
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
			return next(c)
		}
	}
}

// accessLog writes one line a request: the route's pattern and never the
// address as it was asked, which may hold what a person typed.
func accessLog(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start, method := time.Now(), c.Request().Method
			// Answered here, so that the line has the final status.
			if err := next(c); err != nil {
				c.Error(err)
			}
			log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request",
				slog.String("method", method), slog.String("route", c.Path()),
				slog.Int("status", c.Response().Status), slog.Duration("took", time.Since(start)),
				slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)))
			return nil
		}
	}
}
