package handlers

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// handsetMessages is how many programme messages the demo handset remembers.
const handsetMessages = 200

// handsetKeyLength is how many hex digits of a phone's key stand for it in an
// address: enough to tell the phones of a demo apart, and no phone.
const handsetKeyLength = 12

// Handset is the demo phone. It is public, and exists in demo mode only: there
// is nobody's real phone behind it.
func (h *Handlers) Handset(c echo.Context) error {
	if h.Inbox == nil {
		return noHandset()
	}
	v, err := h.handsetView(c, c.QueryParam("n"))
	if err != nil {
		return err
	}
	if wantsPart(c.Request()) && c.QueryParam("v") == v.Version() {
		c.Response().Header().Set("Cache-Control", "no-store")
		return c.NoContent(http.StatusNoContent)
	}
	return h.handset(c, http.StatusOK, v)
}

func (h *Handlers) handset(c echo.Context, status int, v views.HandsetView) error {
	p := h.page(c, views.T(c.Request().Context(), "app.handset"))
	p.Wide = true
	return render(c, status, views.HandsetPage(p, v), views.Handset(v))
}

// CreateHandsetSending sends a scheduled message now. Pressed twice it still
// sends once: the first press claims the message.
func (h *Handlers) CreateHandsetSending(c echo.Context) error {
	if h.Inbox == nil {
		return noHandset()
	}
	ctx := c.Request().Context()
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return &domain.Error{Kind: domain.NotFound, Message: domain.Say("error.not_found")}
	}
	m, err := h.Service.DB.Message(ctx, id)
	if err != nil {
		return err
	}
	status, key := http.StatusOK, h.handsetKey(m.Phone)
	_, sendErr := h.Service.SendMessage(ctx, id, true)
	if sendErr != nil {
		if !inForm(sendErr) {
			return sendErr
		}
		status = h.formStatus(c, sendErr)
	} else if !wantsPart(c.Request()) {
		return redirect(c, views.HandsetURL(key))
	}
	v, err := h.handsetView(c, key)
	if err != nil {
		return err
	}
	if sendErr != nil {
		v.Faults = faults(c, sendErr)
	}
	return h.handset(c, status, v)
}

func noHandset() error {
	return &domain.Error{Kind: domain.NotFound, Message: domain.Say("error.not_found")}
}

func (h *Handlers) handsetKey(phone string) string {
	return h.Service.PhoneKey(phone)[:handsetKeyLength]
}

// handsetView gathers the conversations: codes from the inbox, which alone
// knows them, and programme messages from the database.
func (h *Handlers) handsetView(c echo.Context, chosen string) (views.HandsetView, error) {
	ctx := c.Request().Context()
	texts, err := h.Inbox.Texts(ctx)
	if err != nil {
		return views.HandsetView{}, err
	}
	messages, err := h.Service.DB.RecentMessages(ctx, handsetMessages)
	if err != nil {
		return views.HandsetView{}, err
	}
	// Neither a code nor a number says whose clock it lives by: the store of the
	// number's last visit does.
	visits, err := h.Service.DB.Visits(ctx, domain.VisitFilter{AllStores: true, Limit: handsetMessages})
	if err != nil {
		return views.HandsetView{}, err
	}
	talks := h.conversations(texts, messages, visits)
	if !slices.ContainsFunc(talks, func(t views.Conversation) bool { return t.Key == chosen }) {
		// An old or made-up key follows the newest text, like no key at all.
		chosen = ""
	}
	return views.HandsetView{Chosen: chosen, Conversations: talks}, nil
}

// conversations sorts what came by phone, the one with the newest text first.
func (h *Handlers) conversations(texts []InboxText, messages []domain.Message, visits []domain.VisitRow) []views.Conversation {
	zones, stores, zone := map[string]*time.Location{}, map[int64]*time.Location{}, time.UTC
	for i, v := range visits { // the newest comes first
		loc := domain.Store{TimeZone: v.StoreTimeZone}.Location()
		stores[v.StoreID] = loc
		zones[v.Phone] = cmp.Or(zones[v.Phone], loc)
		if i == 0 {
			zone = loc
		}
	}
	byPhone := map[string]*views.Conversation{}
	add := func(phone string, t views.HandsetText, seen time.Time) {
		talk := byPhone[phone]
		if talk == nil {
			talk = &views.Conversation{Key: h.handsetKey(phone), Phone: phone, Location: cmp.Or(zones[phone], zone)}
			byPhone[phone] = talk
		}
		// What is planned leaves by the clock of the store that caused it.
		t.Location = cmp.Or(t.Location, talk.Location)
		talk.Texts = append(talk.Texts, t)
		if seen.After(talk.Latest) {
			talk.Latest = seen
		}
	}
	for _, t := range texts {
		add(t.To, views.HandsetText{Kind: domain.CodeMessage, State: domain.MessageDelivered, Text: t.Text, At: t.At}, t.At)
	}
	link := regexp.MustCompile(regexp.QuoteMeta(h.Service.SiteURL) + `(/m/[\w-]+)`)
	for _, m := range messages {
		t := views.HandsetText{ID: m.ID, Kind: m.Kind, State: m.State, Reason: m.Reason, Language: m.Language, Text: m.Body, At: m.DueAt, Location: stores[m.StoreID]}
		if found := link.FindStringSubmatch(m.Body); found != nil {
			// Only what leads to this very program opens: a text is no place to
			// be led away from.
			t.Link, t.Page = found[0], found[1]
		}
		seen := m.CreatedAt
		if m.State != domain.MessageScheduled {
			seen = m.ChangedAt()
			t.At = seen
		}
		add(m.Phone, t, seen)
	}
	var talks []views.Conversation
	for _, talk := range byPhone {
		talk.Sort()
		talks = append(talks, *talk)
	}
	slices.SortFunc(talks, func(a, b views.Conversation) int {
		// Equal times would otherwise shuffle with the map and look like news.
		return cmp.Or(b.Latest.Compare(a.Latest), strings.Compare(a.Key, b.Key))
	})
	return talks
}
