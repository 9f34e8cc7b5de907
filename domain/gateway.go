package domain

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"time"
)

// Gateway is one way to the operators' networks, switched on by settings. The
// two channels have connections and a breaker of their own each, so that
// neither a mass of messages nor what it breaks can delay a code.
type Gateway struct {
	Name      string // stands on messages; never renamed
	Codes     Sender
	Messages  Sender
	Rate      int       // programme messages a second, of all instances together
	PartPrice int64     // kopecks for each part of a text
	Instant   bool      // what it takes is delivered: the demo handset
	Callbacks Callbacks // nil: it never calls
	Statuses  Statuses  // nil: it can't be asked
}

// Sender hands texts to a gateway over one channel.
type Sender interface {
	// Send hands one text over and gives the gateway's own name for it, empty
	// where it has none. Nothing in it sends a second time by itself. A failure
	// is an *SMSError.
	Send(ctx context.Context, m SMSText) (string, error)
	// Health tells how the gateway does on this channel, as this instance sees it.
	Health() GatewayHealth
}

// GatewayHealth is what an administrator sees of a gateway's channel.
type GatewayHealth struct {
	SetAside bool       // not asked before RetryAt
	RetryAt  *time.Time // where it is set aside
	Failures int        // in a row
	Trouble  SMSTrouble // of the newest failure
	Detail   string     // the gateway's own word for it, without texts, phones and secrets; may be empty
	LastAt   *time.Time // when that was; nil: it has never failed
}

// Callbacks reads what a gateway tells us. Both readers are lenient: what they
// don't know is kept in Detail, and only a call that can't be read at all is
// an error, of kind Invalid.
type Callbacks interface {
	// Reports reads delivery reports.
	Reports(c Callback) ([]DeliveryReport, error)
	// Incoming reads a customer's SMS.
	Incoming(c Callback) ([]IncomingSMS, error)
	// Answer is the body by which the gateway knows that it was heard.
	Answer() string
}

// Callback is one HTTP call of a gateway.
type Callback struct {
	Query       url.Values
	ContentType string
	Body        []byte
}

// Statuses asks a gateway that makes no calls what became of a text.
type Statuses interface {
	// Status gives the report by the gateway's own name for the text.
	Status(ctx context.Context, gatewayID string) (DeliveryReport, error)
}

// SMSText is a text on its way. It is never logged.
type SMSText struct {
	MessageID int64  // ours, for the reports; 0 where nobody waits for any
	To        string // E.164
	Text      string
	Code      bool          // a one-time code: before everything else, and kept nowhere
	Validity  time.Duration // after which it is worth nothing; 0: the gateway decides
	ReportURL string        // where reports go; empty: nowhere
}

// SMSFault is what a failure of a gateway means.
type SMSFault int

// The faults.
const (
	SMSRefused   SMSFault = iota // the gateway does not take this text: another may
	SMSDown                      // it certainly took nothing: try another, or later
	SMSAmbiguous                 // it may have been sent all the same: never send again
)

// SMSTrouble says what went wrong at a gateway, for the administrator.
type SMSTrouble string

// The troubles.
const (
	TroubleUnreachable SMSTrouble = "unreachable" // no connection came about
	TroubleSilent      SMSTrouble = "silent"      // no answer within the time
	TroubleBroken      SMSTrouble = "broken"      // the connection ended before the answer did
	TroubleStatus      SMSTrouble = "status"      // an HTTP status that is no success
	TroubleAnswer      SMSTrouble = "answer"      // an answer that can't be understood
	TroubleRefused     SMSTrouble = "refused"     // it said no
	TroubleSetAside    SMSTrouble = "set_aside"   // it was not asked
	TroubleOwn         SMSTrouble = "own"         // it never came so far
)

// SMSError is a failure of a gateway.
type SMSError struct {
	Fault   SMSFault
	Trouble SMSTrouble
	Detail  string // the gateway's own word, such as a status; without texts, phones and secrets
	Err     error  // without texts, phones and secrets
}

func (e *SMSError) Error() string { return "sms gateway: " + e.Err.Error() }
func (e *SMSError) Unwrap() error { return e.Err }

// faultOf gives what an error of a Sender means. One that nobody has named may
// have been anything.
func faultOf(err error) SMSFault {
	var e *SMSError
	if errors.As(err, &e) {
		return e.Fault
	}
	return SMSAmbiguous
}

// codeDeadline is how long a code may take to reach a gateway, over all
// gateways: an advisor stands there and waits. messageDeadline is that of a
// programme message at each gateway, handDeadline over all of them: it must
// end well before interruptedAfter.
const (
	codeDeadline    = 4 * time.Second
	messageDeadline = 10 * time.Second
	handDeadline    = 40 * time.Second
)

// handed is how a text was handed over, or was not.
type handed struct {
	gateway Gateway // that took it, may have taken it, or was the last to refuse
	id      string  // the gateway's own
	err     error
}

// handCode tries the gateways in order: the next one after a refusal or an
// outage, none after an ambiguous answer.
func (s *Service) handCode(ctx context.Context, m SMSText) handed {
	ctx, cancel := context.WithTimeout(ctx, codeDeadline)
	defer cancel()
	var last handed
	for _, g := range s.Gateways {
		if last.err != nil && ctx.Err() != nil {
			break
		}
		m.ReportURL = s.reportURL(g)
		id, err := g.Codes.Send(ctx, m)
		next := handed{gateway: g, id: id, err: err}
		if err == nil || faultOf(err) == SMSAmbiguous {
			return next
		}
		if last.err == nil || faultOf(err) == SMSDown {
			last = next
		}
	}
	return last
}

// gatewayKey is the unguessable word in a gateway's addresses here.
func (s *Service) gatewayKey(name string) string { return s.key("gateway", name) }

// GatewayByKey finds the gateway that an address belongs to; NotFound where it
// is nobody's.
func (s *Service) GatewayByKey(key string) (Gateway, error) {
	for _, g := range s.Gateways {
		if g.Callbacks != nil && subtle.ConstantTimeCompare([]byte(key), []byte(s.gatewayKey(g.Name))) == 1 {
			return g, nil
		}
	}
	return Gateway{}, notFound()
}

// GatewayURLs are where a gateway reports deliveries and brings customers' SMS;
// both empty where it never calls.
func (s *Service) GatewayURLs(g Gateway) (reports, incoming string) {
	if g.Callbacks == nil {
		return "", ""
	}
	base := s.CallbackURL + "/g/" + s.gatewayKey(g.Name)
	return base + "/reports", base + "/incoming"
}

func (s *Service) reportURL(g Gateway) string {
	reports, _ := s.GatewayURLs(g)
	return reports
}

// GatewayTally is how many messages a gateway was given that stand in one
// state.
type GatewayTally struct {
	Gateway  string
	State    MessageState
	Messages int
	Parts    int
	Price    int64 // kopecks
}

// gatewayDay is how far back the administrator's screen counts.
const gatewayDay = 24 * time.Hour

// GatewayTallies counts the messages of the last 24 hours, for administrators.
func (s *Service) GatewayTallies(ctx context.Context, a Actor) ([]GatewayTally, error) {
	if a.Role != Administrator {
		return nil, forbidden()
	}
	return s.DB.GatewayTallies(ctx, s.now().Add(-gatewayDay))
}
