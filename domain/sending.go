package domain

import (
	"context"
	"errors"
	"time"
)

// Pacer spreads what is sent to a gateway, over all instances.
type Pacer interface {
	// Pace takes the next free place of a key at so many a second, and tells
	// how long it is until then. Where that is longer than atMost no place is
	// taken, and ok is false.
	Pace(ctx context.Context, key string, perSecond int, atMost time.Duration) (wait time.Duration, ok bool, err error)
}

const (
	// paceAtMost is how long a job waits for its place; then it makes way. The
	// service channel may stand behind as many messages as that lets in, or it
	// would never find a place among them.
	paceAtMost    = 5 * time.Second
	serviceAtMost = 2 * paceAtMost
	// retryFirst and retryLast bound the growing pauses after no gateway could
	// be reached, messageRetries how long after its time a message is still
	// tried.
	retryFirst     = 30 * time.Second
	retryLast      = time.Hour
	messageRetries = 48 * time.Hour
	// retryShare is the part of its lateness that a message waits once more
	// while every gateway is set aside, waitAtMost the longest of these pauses:
	// a hundred thousand messages must not ask every few seconds all night.
	retryShare = 10
	waitAtMost = 10 * time.Minute
	// recordFirst and recordLast bound the growing pauses after the database was
	// away when it should be told how a message was handed over: 13 seconds
	// together, and well within the time of the job.
	recordFirst = 100 * time.Millisecond
	recordLast  = 6400 * time.Millisecond
	// maxGatewayID is how much of a gateway's own name for a text is kept, in
	// bytes.
	maxGatewayID = 200
	// messageValidity is how long a gateway may try to reach the phone.
	messageValidity = 24 * time.Hour
)

// SendMessage sends a due message once. It returns the time to try again
// where it can't be sent yet, or the zero time where nothing is left to do.
// force sends outside of the hours: the demo handset's "send now".
func (s *Service) SendMessage(ctx context.Context, id int64, force bool) (time.Time, error) {
	due, err := s.DB.MessageDue(ctx, id)
	if err != nil || due.State != MessageScheduled {
		return time.Time{}, err
	}
	now := s.now()
	if at := s.notBefore(due, now); at.After(now) && !force {
		return at, nil
	}
	g, open := s.messageGateway(0)
	if !open {
		if now.After(due.DueAt.Add(messageRetries)) {
			return time.Time{}, s.giveUp(ctx, id)
		}
		return s.gatewayBack(due.DueAt, now), nil
	}
	if wait, ok, err := s.pace(ctx, s.Gateways[g], due.Channel); err != nil || !ok {
		return now.Add(wait), err
	}
	// Claim, send, record: from the claim on the message is never sent again,
	// whatever happens to this process.
	ctx = context.WithoutCancel(ctx)
	m, again, err := s.claim(ctx, due, force)
	if err != nil || m.State != MessageSending {
		return again, err
	}
	return s.record(ctx, m, s.handMessage(ctx, m, g, force))
}

// notBefore is when a message may leave: when it is due, and in the hours of
// its store where it has to keep them.
func (s *Service) notBefore(m MessageDue, now time.Time) time.Time {
	if m.DueAt.After(now) || m.Channel != ProgrammeChannel {
		return m.DueAt
	}
	return s.nextAllowed(Store{TimeZone: m.TimeZone}, now)
}

// messageGateway gives the first gateway from the given one on that is not set
// aside.
func (s *Service) messageGateway(from int) (int, bool) {
	for i := from; i < len(s.Gateways); i++ {
		if !s.Gateways[i].Messages.Health().SetAside {
			return i, true
		}
	}
	return 0, false
}

// gatewayBack is when a message shall ask again that found every gateway set
// aside: when the first one may be back, and later the longer it has waited.
func (s *Service) gatewayBack(due, now time.Time) time.Time {
	back := now.Add(waitAtMost)
	for _, g := range s.Gateways {
		at := g.Messages.Health().RetryAt
		if at == nil {
			at = &now // another message is just trying it
		}
		if at.Before(back) {
			back = *at
		}
	}
	// Together they would all knock in the same moment.
	pause := min(waitAtMost, max(retryFirst/2, now.Sub(due)/retryShare))
	if earliest := now.Add(pause); back.Before(earliest) {
		back = earliest
	}
	return back
}

// pace waits for the gateway's next free place.
func (s *Service) pace(ctx context.Context, g Gateway, c MessageChannel) (time.Duration, bool, error) {
	atMost := paceAtMost
	if c == ServiceChannel {
		atMost = serviceAtMost
	}
	wait, ok, err := s.Pacer.Pace(ctx, g.Name, g.Rate, atMost)
	if err != nil || !ok || wait <= 0 {
		return wait, ok, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, true, nil
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
}

// claim takes the message for this sending, or settles it where it may not be
// sent any more, or tells when to come again where the hours have ended while
// it waited for its place. A withdrawal that is being saved comes first; one
// that comes later finds the message gone. What was not claimed here is not in
// the state "sending".
func (s *Service) claim(ctx context.Context, read MessageDue, force bool) (m Message, again time.Time, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		m, again = Message{}, time.Time{}
		if read.ContactID != 0 {
			if _, err := tx.LockContact(ctx, read.ContactID); err != nil {
				return err
			}
		}
		f, err := tx.MessageFacts(ctx, read.ID)
		if err != nil {
			return err
		}
		now := s.now()
		m = f.Message
		if reason := s.mayMessage(f); reason != "" {
			m.State, m.Reason, m.SettledAt = MessageSuppressed, reason, &now
			_, err := tx.ClaimMessage(ctx, m)
			return err
		}
		if at := s.notBefore(f.due(), now); at.After(now) && !force {
			again = at
			return nil
		}
		if f.PageToken == "" && f.Channel == ProgrammeChannel {
			// It was scheduled by a version that had no pages.
			f.PageToken = linkToken(pageToken)
			if err := tx.DrawPageToken(ctx, f.ContactID, f.PageToken); err != nil {
				return err
			}
		}
		m.Body, m.TemplateVersion = s.text(f)
		m.Parts = CountSMS(m.Body).Parts
		m.State, m.SendingAt = MessageSending, &now
		claimed, err := tx.ClaimMessage(ctx, m)
		if !claimed {
			m = Message{} // somebody else's, or cancelled in this moment
		}
		return err
	})
	return m, again, err
}

// errNotAsked stands for a gateway that the message was not given to.
var errNotAsked = &SMSError{Fault: SMSDown, Trouble: TroubleSetAside, Err: errors.New("the gateway was not asked")}

// handMessage gives the text to the first gateway that takes it. It is refused
// only where every gateway refused it: one that was not asked, since it is set
// aside, has no place, came too late or must not have it any more, may take it
// another time.
func (s *Service) handMessage(ctx context.Context, m Message, first int, force bool) handed {
	ctx, cancel := context.WithTimeout(ctx, handDeadline)
	defer cancel()
	last := handed{gateway: s.Gateways[first]}
	for i, g := range s.Gateways {
		next := handed{gateway: g, err: errNotAsked}
		// The first one's place was taken before the claim, and the claim is of
		// this moment; a while later it has to be asked again.
		fresh := i == first && last.err == nil
		if fresh || (i == first || s.hasPlace(ctx, g, m.Channel)) && s.mayStill(ctx, m.ID, force) {
			next = s.hand(ctx, g, SMSText{MessageID: m.ID, To: m.Phone, Text: m.Body, Validity: messageValidity, ReportURL: s.reportURL(g)})
		}
		if next.err == nil || faultOf(next.err) == SMSAmbiguous {
			return next
		}
		if last.err == nil || faultOf(next.err) == SMSDown {
			last = next
		}
	}
	return last
}

// hasPlace tells whether a claimed message may be given to a further gateway.
// Its place there is waited for within reason, since the claim is held
// meanwhile.
func (s *Service) hasPlace(ctx context.Context, g Gateway, c MessageChannel) bool {
	if g.Messages.Health().SetAside {
		return false
	}
	_, ok, err := s.pace(ctx, g, c)
	return err == nil && ok
}

// mayStill asks again what the claim has asked, before a further gateway gets
// the text: a STOP or an erasure may have come meanwhile, the hours may be
// over, or the gateway that failed may report that it has sent it after all.
// What stopped the message is told by the next claim.
func (s *Service) mayStill(ctx context.Context, id int64, force bool) bool {
	f, err := s.DB.MessageFacts(ctx, id)
	if err != nil || f.State != MessageSending || f.Reason != "" || s.mayMessage(f) != "" {
		return false
	}
	now := s.now()
	return force || !s.notBefore(f.due(), now).After(now)
}

func (s *Service) hand(ctx context.Context, g Gateway, text SMSText) handed {
	ctx, cancel := context.WithTimeout(ctx, messageDeadline)
	defer cancel()
	id, err := g.Messages.Send(ctx, text)
	return handed{gateway: g, id: id, err: err}
}

// record writes down how a claimed message was handed over. One that nobody
// took for want of a gateway is scheduled again. A database that is away for a
// moment is waited for: nobody else knows what the gateway said, and without it
// the message would end as unknown, even one that never left.
func (s *Service) record(ctx context.Context, m Message, h handed) (again time.Time, err error) {
	now, claimed := s.now(), *m.SendingAt
	outcome(&m, h, now)
	if m.State == MessageUndelivered && m.Reason == ReasonDown && now.Before(m.DueAt.Add(messageRetries)) {
		m.State, m.Reason, m.SettledAt, m.SendingAt, m.Gateway = MessageScheduled, "", nil, nil, ""
		m.Attempts++
		again = now.Add(min(retryLast, retryFirst<<min(m.Attempts-1, 10)))
	}
	write := func() error {
		return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error { return s.recordMessage(ctx, tx, m) })
	}
	err = write()
	for pause := recordFirst; KindOf(err) == Unavailable && pause <= recordLast && s.now().Before(claimed.Add(handDeadline)); pause *= 2 {
		<-time.After(pause)
		err = write()
	}
	return again, err
}

// recordMessage writes how a message was handed over, and asks later for its
// fate where the gateway does not tell of it by itself.
func (s *Service) recordMessage(ctx context.Context, tx Tx, m Message) error {
	if m.Channel == CodeChannel {
		// The row of a code does not show that its customer was erased while it
		// was on its way; other rows do, see RecordSending.
		c, err := tx.LockContact(ctx, m.ContactID)
		if err != nil && !IsNotFound(err) {
			return err
		}
		if err != nil || c.ErasedAt != nil {
			m.GatewayID = ""
		}
	}
	if m.State == MessageScheduled {
		// What it was for may be gone since it was claimed.
		row, err := tx.LockMessage(ctx, m.ID)
		if err != nil {
			return err
		}
		if row.State == MessageSending && row.Reason != "" {
			now := s.now()
			m.State, m.Reason, m.SettledAt = MessageCancelled, row.Reason, &now
		}
	}
	if err := tx.RecordSending(ctx, m); err != nil {
		return err
	}
	if m.State != MessageAccepted || m.GatewayID == "" {
		return nil
	}
	for _, g := range s.Gateways {
		if g.Name == m.Gateway && g.Statuses != nil {
			return tx.Enqueue(ctx, AskDeliveryJob{MessageID: m.ID, Code: m.Channel == CodeChannel}, s.now().Add(askAfter(0)))
		}
	}
	return nil
}

// outcome puts an answer of the gateways into the message.
func outcome(m *Message, h handed, now time.Time) {
	m.Gateway, m.GatewayID = h.gateway.Name, shorten(readableText(h.id), maxGatewayID)
	if h.err == nil {
		m.State, m.Reason, m.AcceptedAt = MessageAccepted, "", &now
		m.Price = int64(m.Parts) * h.gateway.PartPrice
		if h.gateway.Instant {
			m.State, m.SettledAt = MessageDelivered, &now
		}
		return
	}
	m.SettledAt = &now
	switch faultOf(h.err) {
	case SMSRefused:
		m.State, m.Reason = MessageUndelivered, ReasonRefused
	case SMSDown:
		m.State, m.Reason = MessageUndelivered, ReasonDown
	default:
		// It may have been sent, so it may have been paid for.
		m.State, m.Reason = MessageUnknown, ReasonAmbiguous
		m.Price = int64(m.Parts) * h.gateway.PartPrice
	}
}

// giveUp ends a message whose time was over before any gateway came back.
func (s *Service) giveUp(ctx context.Context, id int64) error {
	now := s.now()
	return s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
		m, err := tx.Message(ctx, id)
		if err != nil {
			return err
		}
		m.State, m.Reason, m.SettledAt = MessageUndelivered, ReasonDown, &now
		_, err = tx.ClaimMessage(ctx, m)
		return err
	})
}
