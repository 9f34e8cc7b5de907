package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"prilavok/domain"
)

// DevinoOptions are the settings of Devino.Online.
type DevinoOptions struct {
	URL       string // without a path, such as https://api.devino.online
	Key       string
	From      string // sender, as the operators allow it
	Rate      int
	PartPrice int64
	Now       func() time.Time
	Log       *slog.Logger // nil: nothing is told
}

// Devino is Devino.Online.
type Devino struct {
	devinoCalls
	options DevinoOptions
}

// NewDevino gives the gateway.
func NewDevino(o DevinoOptions) domain.Gateway {
	d := &Devino{options: o}
	return channels(domain.Gateway{Name: "devino", Rate: o.Rate, PartPrice: o.PartPrice, Callbacks: d}, o.Now, o.Log, d.sender)
}

// devinoLongest is the longest validity that Devino takes.
const devinoLongest = 72 * time.Hour

// devinoText is a text as Devino.Online takes it.
type devinoText struct {
	From        string            `json:"from"`
	To          string            `json:"to"` // digits alone
	Text        string            `json:"text"`
	Validity    int               `json:"validity,omitempty"` // seconds
	Priority    string            `json:"priority"`
	CallbackURL string            `json:"callbackUrl,omitempty"`
	Options     map[string]string `json:"options,omitempty"` // comes back with each report
}

func (d *Devino) sender(client *http.Client) send {
	address := strings.TrimSuffix(d.options.URL, "/") + "/sms/messages"
	return func(ctx context.Context, m domain.SMSText) (string, error) {
		text := devinoText{
			From: d.options.From, To: strings.TrimPrefix(m.To, "+"), Text: m.Text, Priority: "LOW",
			Validity: int(min(m.Validity, devinoLongest).Seconds()), CallbackURL: m.ReportURL,
		}
		if m.Code {
			text.Priority = "REALTIME"
		}
		if m.MessageID != 0 {
			text.Options = map[string]string{"m": strconv.FormatInt(m.MessageID, 10)}
		}
		var body bytes.Buffer
		encoder := json.NewEncoder(&body)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(map[string]any{"messages": []devinoText{text}}); err != nil {
			return "", &domain.SMSError{Fault: domain.SMSRefused, Trouble: domain.TroubleOwn, Err: errors.New("the text can't be written as JSON")}
		}
		status, answer, err := post(ctx, client, address, "application/json", body.String(), http.Header{"Authorization": {"Key " + d.options.Key}})
		switch {
		case err != nil:
			return "", err
		case status/100 != 2:
			return "", badStatus(status)
		}
		return devinoAnswer(answer)
	}
}

// devinoAnswer reads what Devino.Online says of one text.
func devinoAnswer(answer []byte) (string, error) {
	var said struct {
		Result []struct {
			Code      string          `json:"code"`
			MessageID json.RawMessage `json:"messageId"` // a text or a number
			Reasons   []struct {
				Key string `json:"key"`
				Ref string `json:"ref"` // the field that it is about
			} `json:"reasons"`
		} `json:"result"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || len(said.Result) != 1 {
		return "", notUnderstood()
	}
	switch r := said.Result[0]; r.Code {
	case "OK":
		id := strings.Trim(string(r.MessageID), `"`)
		if id == "null" {
			id = ""
		}
		return id, nil
	case "REJECTED":
		var keys []string
		sender := false
		for _, reason := range r.Reasons {
			if key := plain(reason.Key); key != "" {
				keys = append(keys, key)
			}
			sender = sender || reason.Ref == "from"
		}
		err := refused(strings.Join(keys, ", "))
		if sender {
			err.Fault = domain.SMSDown
		}
		return "", err
	}
	return "", notUnderstood()
}

// devinoCalls reads the calls of both of Devino's interfaces. What a report
// holds is not published, so it is read leniently.
type devinoCalls struct{}

// devinoStates are the words for a status, in lower case and letters alone.
var devinoStates = map[string]domain.MessageState{
	"delivered": domain.MessageDelivered, "read": domain.MessageDelivered, "seen": domain.MessageDelivered,

	"undelivered": domain.MessageUndelivered, "notdelivered": domain.MessageUndelivered, "undeliverable": domain.MessageUndelivered,
	"expired": domain.MessageUndelivered, "rejected": domain.MessageUndelivered, "failed": domain.MessageUndelivered,
	"deleted": domain.MessageUndelivered, "error": domain.MessageUndelivered, "cancelled": domain.MessageUndelivered,
	"canceled": domain.MessageUndelivered, "blocked": domain.MessageUndelivered,

	"sent": domain.MessageAccepted, "accepted": domain.MessageAccepted, "queued": domain.MessageAccepted, "enqueued": domain.MessageAccepted,
	"enroute": domain.MessageAccepted, "submitted": domain.MessageAccepted, "pending": domain.MessageAccepted, "sending": domain.MessageAccepted,
	"created": domain.MessageAccepted, "scheduled": domain.MessageAccepted,
}

// letters keeps the letters of a word, in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// Reports reads delivery reports, one or many in a call.
func (devinoCalls) Reports(c domain.Callback) ([]domain.DeliveryReport, error) {
	var out []domain.DeliveryReport
	for _, f := range read(c) {
		r := domain.DeliveryReport{MessageID: f.ours(), GatewayID: f.id(), Status: f.status()}
		if r.MessageID == 0 && r.GatewayID == "" {
			continue
		}
		r.State = devinoStates[letters(r.Status)]
		r.Detail = f.unknown(append(append([]string{"options", "options[m]", "options.m"}, idNames...), statusNames...)...)
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, &domain.Error{Kind: domain.Invalid, Err: errors.New("devino: a report names no message")}
	}
	return out, nil
}

// Incoming reads a customer's SMS. The prefix is the word by which Devino finds
// out whose SMS it is; a customer who sends nothing else means that word.
func (devinoCalls) Incoming(c domain.Callback) ([]domain.IncomingSMS, error) {
	var out []domain.IncomingSMS
	for _, f := range read(c) {
		m := domain.IncomingSMS{GatewayID: f.id(), From: f.text("sourcephone"), Text: f.text("text"), Prefix: f.text("prefix")}
		if strings.TrimSpace(m.Text) == "" {
			m.Text = m.Prefix
		}
		if m.From != "" {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return nil, &domain.Error{Kind: domain.Invalid, Err: errors.New("devino: an SMS names no sender")}
	}
	return out, nil
}

// Answer is empty: Devino may send a body back to the customer as an SMS, and
// hears us by the status.
func (devinoCalls) Answer() string { return "" }
