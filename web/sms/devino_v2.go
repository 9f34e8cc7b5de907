package sms

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"prilavok/domain"
)

// DevinoV2Options are the settings of Devino's older REST v2.
type DevinoV2Options struct {
	URL       string // such as https://integrationapi.net/rest/v2
	Login     string
	Password  string
	From      string // sender, as the operators allow it
	Rate      int
	PartPrice int64
	Now       func() time.Time
	Log       *slog.Logger // nil: nothing is told
}

// DevinoV2 is Devino's older REST v2. It reports nothing by itself and is
// asked; customers' SMS it does bring.
type DevinoV2 struct {
	devinoCalls
	options DevinoV2Options
	asking  *http.Client
}

// askConns is how many questions for the fate of a text are under way at once:
// more than those about messages, or one about a code would wait for them.
const askConns = 8

// NewDevinoV2 gives the gateway.
func NewDevinoV2(o DevinoV2Options) domain.Gateway {
	d := &DevinoV2{options: o, asking: newClient(askConns)}
	return channels(domain.Gateway{Name: "devino_v2", Rate: o.Rate, PartPrice: o.PartPrice, Callbacks: d, Statuses: d}, o.Now, o.Log, d.sender)
}

func (d *DevinoV2) address(path string) string { return strings.TrimSuffix(d.options.URL, "/") + path }

func (d *DevinoV2) sender(client *http.Client) send {
	return func(ctx context.Context, m domain.SMSText) (string, error) {
		form := url.Values{
			"Login": {d.options.Login}, "Password": {d.options.Password}, "SourceAddress": {d.options.From},
			"DestinationAddress": {strings.TrimPrefix(m.To, "+")}, "Data": {m.Text},
		}
		if m.Validity > 0 {
			form.Set("Validity", strconv.Itoa(max(1, int(m.Validity.Minutes()))))
		}
		status, answer, err := post(ctx, client, d.address("/Sms/Send"), "application/x-www-form-urlencoded", form.Encode(), nil)
		if err != nil {
			return "", err
		}
		if err := devinoV2Error(status, answer); err != nil {
			return "", err
		}
		// One id for each part; the first one stands for the whole text.
		var ids []string
		if json.Unmarshal(answer, &ids) != nil || len(ids) == 0 || ids[0] == "" {
			return "", notUnderstood()
		}
		return ids[0], nil
	}
}

// devinoV2Error reads {Code, Desc}; nil where the answer is no error. Desc may
// quote what was sent, so only the code is passed on. The codes stand in
// Devino's table of errors: 4 login, 5 credits, 7 forbidden, 8 and 9 their own;
// 6 is an operation that can't be done, such as sending from this sender.
func devinoV2Error(status int, answer []byte) error {
	var said struct {
		Code int
		Desc json.RawMessage
	}
	if json.Unmarshal(answer, &said) != nil || said.Code == 0 {
		if status/100 != 2 {
			return badStatus(status)
		}
		return nil
	}
	err := &domain.SMSError{Fault: domain.SMSRefused, Trouble: domain.TroubleRefused, Detail: strconv.Itoa(said.Code)}
	switch {
	case said.Code == 4, said.Code == 5, said.Code == 7, said.Code == 6 && strings.Contains(strings.ToLower(string(said.Desc)), "source address"):
		err.Fault = domain.SMSDown
	case said.Code == 8, said.Code == 9:
		err.Fault = domain.SMSAmbiguous
	}
	err.Err = codeError(said.Code)
	return err
}

type codeError int

func (e codeError) Error() string { return "the gateway answers with error " + strconv.Itoa(int(e)) }

// devinoV2States are the values of State. 99 is "unknown", and 255 "not in our
// books yet, or not any more".
var devinoV2States = map[int]domain.MessageState{
	-1: domain.MessageAccepted, -2: domain.MessageAccepted, 0: domain.MessageDelivered,
	10: domain.MessageUndelivered, 11: domain.MessageUndelivered, 41: domain.MessageUndelivered, 42: domain.MessageUndelivered,
	46: domain.MessageUndelivered, 47: domain.MessageUndelivered, 48: domain.MessageUndelivered, 69: domain.MessageUndelivered,
	-98: domain.MessageUndelivered,
}

// Status asks for the fate of a text. The contract wants login and password in
// the query, so the address must show nowhere; no error of call names it.
func (d *DevinoV2) Status(ctx context.Context, gatewayID string) (domain.DeliveryReport, error) {
	query := url.Values{"Login": {d.options.Login}, "Password": {d.options.Password}, "messageId": {gatewayID}}
	status, answer, err := call(ctx, d.asking, http.MethodGet, d.address("/Sms/State")+"?"+query.Encode(), "", nil, nil)
	if err != nil {
		return domain.DeliveryReport{}, err
	}
	if err := devinoV2Error(status, answer); err != nil {
		return domain.DeliveryReport{}, err
	}
	var said struct {
		State            *int
		StateDescription string
	}
	if json.Unmarshal(answer, &said) != nil || said.State == nil {
		return domain.DeliveryReport{}, notUnderstood()
	}
	return domain.DeliveryReport{
		GatewayID: gatewayID, State: devinoV2States[*said.State], Status: strconv.Itoa(*said.State),
		Detail: fields{"description": said.StateDescription}.unknown(),
	}, nil
}
