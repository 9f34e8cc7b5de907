package sms

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"prilavok/domain"
)

// KannelOptions are the settings of a gateway that speaks Kannel's HTTP form
// (Kannel 1.4 User's Guide, "SMS Push (sendsms)").
type KannelOptions struct {
	URL       string // of sendsms, such as http://127.0.0.1:13013/cgi-bin/sendsms
	User      string
	Password  string
	From      string // sender, as the operator allows it
	Rate      int
	PartPrice int64
	Now       func() time.Time
	Log       *slog.Logger // nil: nothing is told
}

// Kannel is a gateway that speaks Kannel's HTTP form, which is a GET: a form in
// a POST is refused by Kannel 1.4. Jasmin's form has other names and answers.
type Kannel struct{ options KannelOptions }

// NewKannel gives the gateway.
func NewKannel(o KannelOptions) domain.Gateway {
	k := &Kannel{options: o}
	return channels(domain.Gateway{Name: "kannel", Rate: o.Rate, PartPrice: o.PartPrice, Callbacks: k}, o.Now, o.Log, k.sender)
}

func (k *Kannel) sender(client *http.Client) send {
	return func(ctx context.Context, m domain.SMSText) (string, error) {
		form := url.Values{
			"username": {k.options.User}, "password": {k.options.Password}, "from": {k.options.From},
			"to": {strings.TrimPrefix(m.To, "+")}, "text": {m.Text}, "charset": {"UTF-8"}, "coding": {"0"},
		}
		if domain.CountSMS(m.Text).Unicode {
			form.Set("coding", "2")
		}
		if m.Validity > 0 {
			form.Set("validity", strconv.Itoa(max(1, int(m.Validity.Minutes()))))
		}
		if m.Code {
			form.Set("priority", "3")
		}
		if m.ReportURL != "" {
			// Kannel puts its own words where the percent signs stand.
			form.Set("dlr-mask", "31")
			form.Set("dlr-url", m.ReportURL+"?m="+strconv.FormatInt(m.MessageID, 10)+"&status=%d&smsc=%i")
		}
		status, answer, err := get(ctx, client, k.options.URL, form)
		switch {
		case err != nil:
			return "", err
		case status == http.StatusForbidden && strings.HasPrefix(string(answer), "Not routable"):
			// It has no way to this number; a wrong password is a 403 as well.
			return "", refused("")
		case status != http.StatusOK && status != http.StatusAccepted:
			return "", badStatus(status)
		}
		// "0: Accepted for delivery" or "3: Queued for later delivery", in newer
		// versions with a name at the end; another number was not taken, and
		// what has none does not come from Kannel.
		code, rest, _ := strings.Cut(strings.TrimSpace(string(answer)), ":")
		switch _, err := strconv.ParseUint(code, 10, 16); {
		case err != nil:
			return "", notUnderstood()
		case code != "0" && code != "3":
			return "", refused(code)
		}
		_, id, _ := strings.Cut(rest, ": ")
		return strings.TrimSpace(id), nil
	}
}

// kannelStates are the values of %d in a dlr-url.
var kannelStates = map[string]domain.MessageState{
	"1": domain.MessageDelivered, "2": domain.MessageUndelivered, "4": domain.MessageAccepted,
	"8": domain.MessageAccepted, "16": domain.MessageUndelivered,
}

// Reports reads one call of a dlr-url.
func (k *Kannel) Reports(c domain.Callback) ([]domain.DeliveryReport, error) {
	id, err := strconv.ParseInt(c.Query.Get("m"), 10, 64)
	if err != nil || id < 1 {
		return nil, &domain.Error{Kind: domain.Invalid, Err: errors.New("kannel: a report names no message")}
	}
	status := c.Query.Get("status")
	return []domain.DeliveryReport{{MessageID: id, State: kannelStates[status], Status: status, Detail: fieldsOf(c.Query, "").unknown("m", "status")}}, nil
}

// Incoming reads a call of the get-url of an sms-service:
// …/incoming?from=%p&text=%b&charset=%C&id=%I. Kannel passes Cyrillic on as it
// came, in UTF-16, and says so in %C, in the words of its version; %a would
// tear it at bytes that look like spaces.
func (k *Kannel) Incoming(c domain.Callback) ([]domain.IncomingSMS, error) {
	charset := c.Query.Get("charset")
	read := func(text string) string { return readable(text, charset) }
	switch strings.ToUpper(strings.ReplaceAll(charset, "-", "")) {
	case "UTF16BE", "UTF16", "UCS2", "ISO10646UCS2":
		read = fromUTF16
	}
	m := domain.IncomingSMS{GatewayID: c.Query.Get("id"), From: c.Query.Get("from"), Text: several(c.Query["text"], read)}
	if m.From == "" {
		return nil, &domain.Error{Kind: domain.Invalid, Err: errors.New("kannel: an SMS names no sender")}
	}
	return []domain.IncomingSMS{m}, nil
}

// fromUTF16 reads UTF-16, high bytes first; an odd byte at the end is dropped.
func fromUTF16(s string) string {
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = uint16(s[2*i])<<8 | uint16(s[2*i+1])
	}
	return string(utf16.Decode(units))
}

// Answer is empty: Kannel would send a body back to the customer as an SMS.
func (k *Kannel) Answer() string { return "" }
