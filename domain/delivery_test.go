package domain_test

import (
	"context"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"prilavok/domain"
)

func (w *world) report(m domain.Message, gateway string, state domain.MessageState) error {
	return w.TakeReport(w.t.Context(), gateway, domain.DeliveryReport{MessageID: m.ID, State: state, Status: string(state)})
}

// An answer that left it open is settled by what comes later, however late.
func TestReportSettlesTheUnknown(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.dueBuyer("+79160000001")
		w.gateways("first")[0].Fail(smsFails(domain.SMSAmbiguous))
		for state, want := range map[domain.MessageState]fate{
			domain.MessageDelivered:   {domain.MessageDelivered, "", "first", true},
			domain.MessageUndelivered: {domain.MessageUndelivered, "not_arrived", "first", true},
			domain.MessageAccepted:    {domain.MessageAccepted, "", "first", true},
		} {
			m := w.another(first)
			got, again := w.send(m)
			if got.State != domain.MessageUnknown || !again.IsZero() {
				t.Fatalf("%s, again at %v", got.State, again)
			}
			w.clock.Add(time.Minute)
			if err := w.report(m, "first", state); err != nil {
				t.Fatal(err)
			}
			w.expect(string(state), w.message(m.ID), want)
			w.clock.Set(first.DueAt)
			w.Settings.MessagesPerWeek++
		}
	})
}

// Every order and repetition of reports, with the answer of the gateway among
// them and sweeps in between, comes to one end: delivered wins, then
// undelivered.
func TestReportsInAnyOrder(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.dueBuyer("+79160000001")
		w.Settings.MessagesPerWeek = 1_000_000
		sms := w.gateways("first")[0]
		checks := "60"
		if w.redisURL != "" {
			checks = "25"
		}
		for name, value := range map[string]string{"rapid.checks": checks, "rapid.nofailfile": "true"} {
			old := flag.Lookup(name).Value.String()
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = flag.Set(name, old) })
		}
		rapid.Check(t, func(t *rapid.T) {
			w.clock.Set(first.DueAt)
			m := w.another(first)
			sms.Fail(rapid.SampledFrom([]error{nil, smsFails(domain.SMSAmbiguous)}).Draw(t, "answer"))
			states := []domain.MessageState{domain.MessageAccepted, domain.MessageDelivered, domain.MessageUndelivered, ""}
			before := rapid.SliceOfN(rapid.SampledFrom(states), 0, 3).Draw(t, "before the answer")
			after := rapid.SliceOfN(rapid.SampledFrom(append(states, "sweep")), 0, 5).Draw(t, "after it")
			take := func(s domain.MessageState) {
				if s == "sweep" {
					w.clock.Add(w.Settings.MessageReportWithin + time.Second)
					if err := w.SweepMessages(context.Background()); err != nil {
						t.Fatal(err)
					}
					return
				}
				if err := w.report(m, "first", s); err != nil {
					t.Fatal(err)
				}
			}
			w.Gateways[0].Messages = hooked{sms, func(domain.SMSText) {
				for _, s := range before {
					take(s)
				}
			}}
			if _, err := w.SendMessage(context.Background(), m.ID, false); err != nil {
				t.Fatal(err)
			}
			for _, s := range after {
				take(s)
			}
			got := w.message(m.ID)
			all := append(slices.Clone(before), after...)
			switch {
			case slices.Contains(all, domain.MessageDelivered):
				if got.State != domain.MessageDelivered || got.Reason != "" {
					t.Fatalf("%s (%s)", got.State, got.Reason)
				}
			case slices.Contains(all, domain.MessageUndelivered):
				if got.State != domain.MessageUndelivered || got.Reason != "not_arrived" {
					t.Fatalf("%s (%s)", got.State, got.Reason)
				}
			default:
				if got.State != domain.MessageAccepted && got.State != domain.MessageUnknown {
					t.Fatalf("%s (%s)", got.State, got.Reason)
				}
			}
			if got.Gateway != "first" || got.Price != int64(got.Parts)*300 || got.AcceptedAt == nil && got.State != domain.MessageUnknown {
				t.Fatalf("%+v", got)
			}
			rows, err := w.DB.DeliveryReports(context.Background(), m.ID)
			slices.Sort(all)
			distinct := len(slices.Compact(slices.DeleteFunc(all, func(s domain.MessageState) bool { return s == "sweep" })))
			if err != nil || len(rows) != distinct {
				t.Fatalf("%d reports on record of %d, %v", len(rows), distinct, err)
			}
		})
	})
}

// A quick gateway reports while its own answer is still on the way.
func TestReportRacesTheAnswer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.dueBuyer("+79160000001")
		w.Settings.MessagesPerWeek = 1000
		sms := w.gateways("first")[0]
		told := make(chan error, 1)
		w.Gateways[0].Messages = hooked{sms, func(m domain.SMSText) {
			go func() {
				told <- w.TakeReport(context.Background(), "first", domain.DeliveryReport{MessageID: m.MessageID, GatewayID: "late", State: domain.MessageDelivered, Status: "1"})
			}()
		}}
		for range 30 {
			m := w.another(first)
			got, _ := w.send(m)
			if err := <-told; err != nil {
				t.Fatal(err)
			}
			got = w.message(got.ID)
			w.expect("raced", got, fate{domain.MessageDelivered, "", "first", true})
			if got.GatewayID == "" || got.SendingAt == nil || got.AcceptedAt == nil || got.SettledAt == nil {
				t.Errorf("%+v", got)
			}
		}
	})
}

// A gateway that could not be reached reports the message all the same, while
// the next one has it: whose it is, our own record says, and nothing takes back
// that it came to the phone.
func TestReportOfTheGatewayBefore(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		first := w.dueBuyer("+79160000001")
		w.Settings.MessagesPerWeek = 1000
		all := w.gateways("first", "second")
		all[0].Fail(smsFails(domain.SMSDown))
		for state, want := range map[domain.MessageState]fate{
			domain.MessageUndelivered: {domain.MessageAccepted, "", "second", true},
			domain.MessageAccepted:    {domain.MessageAccepted, "", "second", true},
			domain.MessageDelivered:   {domain.MessageDelivered, "", "first", true},
		} {
			m := w.another(first)
			w.Gateways[1].Messages = hooked{all[1], func(domain.SMSText) {
				if err := w.report(m, "first", state); err != nil {
					t.Error(err)
				}
			}}
			got, _ := w.send(m)
			w.expect("the first says "+string(state), got, want)
			if want.gateway == "second" {
				if err := w.report(m, "second", domain.MessageDelivered); err != nil {
					t.Errorf("the first says %s: %v", state, err)
				}
			}
			if got = w.message(m.ID); got.State != domain.MessageDelivered {
				t.Errorf("the first says %s: %s in the end", state, got.State)
			}
			// Where nobody takes it, what the first one has told stands: it may
			// have gone out.
			m = w.another(first)
			w.Gateways[1].Messages = hooked{failing{}, func(domain.SMSText) {
				if err := w.report(m, "first", state); err != nil {
					t.Error(err)
				}
			}}
			if got, _ := w.send(m); got.State != state || got.Gateway != "first" {
				t.Errorf("the first says %s, the second is down: %s by %q", state, got.State, got.Gateway)
			}
		}
	})
}

// failing is a gateway that can't be reached.
type failing struct{ domain.Sender }

func (failing) Send(context.Context, domain.SMSText) (string, error) {
	return "", smsFails(domain.SMSDown)
}

func (failing) Health() domain.GatewayHealth { return domain.GatewayHealth{} }

func TestReportsOfOthers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		w.gateways("first", "second")
		sent, _ := w.send(m)
		for what, r := range map[string]domain.DeliveryReport{
			"another gateway":                     {MessageID: m.ID},
			"another gateway by its name":         {GatewayID: sent.GatewayID},
			"a message that is not there":         {MessageID: 999999},
			"a name that is nobody's":             {GatewayID: "nobody"},
			"no name at all":                      {},
			"a name with what PostgreSQL refuses": {GatewayID: "a\x00\xff"},
		} {
			gateway := "first"
			if strings.HasPrefix(what, "another") {
				gateway = "second"
			}
			r.State = domain.MessageDelivered
			if err := w.TakeReport(t.Context(), gateway, r); !domain.IsNotFound(err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got := w.message(m.ID); got.State != domain.MessageAccepted {
			t.Errorf("the message is %s", got.State)
		}
		// By the gateway's own name it is found, and its odd fields are kept
		// without the phone.
		r := domain.DeliveryReport{GatewayID: sent.GatewayID, State: domain.MessageDelivered, Status: "ok", Detail: `{"x":"79160000001","y":"8 9160000001","z":"` + strings.Repeat("я", 3000) + "\x00" + `"}`}
		if err := w.TakeReport(t.Context(), "first", r); err != nil {
			t.Fatal(err)
		}
		rows, err := w.DB.DeliveryReports(t.Context(), m.ID)
		if err != nil || len(rows) != 1 || strings.Contains(rows[0].Detail, "9160000001") || !strings.Contains(rows[0].Detail, `"y"`) || len(rows[0].Detail) > 2100 {
			t.Errorf("on record: %+v, %v", rows, err)
		}
		// A message that never left can't have arrived.
		waiting := w.another(m)
		if err := w.report(waiting, "first", domain.MessageDelivered); err != nil {
			t.Fatal(err)
		}
		if got := w.message(waiting.ID); got.State != domain.MessageScheduled {
			t.Errorf("a message that never left is %s", got.State)
		}
	})
}

// statuses is a gateway that is asked.
type statuses struct {
	asked  []string
	report domain.DeliveryReport
	err    error
}

func (s *statuses) Status(_ context.Context, id string) (domain.DeliveryReport, error) {
	s.asked = append(s.asked, id)
	return s.report, s.err
}

// A gateway that makes no calls is asked, quickly at first and then slower, and
// no more once the answer is known.
func TestAskDelivery(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		w.gateways("first")
		asked := &statuses{}
		w.Gateways[0].Statuses = asked
		sent, _ := w.send(m)
		ask := func() time.Duration {
			t.Helper()
			again, err := w.AskDelivery(t.Context(), m.ID)
			if err != nil {
				t.Fatal(err)
			}
			if again.IsZero() {
				return 0
			}
			return again.Sub(w.clock.Now())
		}
		w.clock.Add(2 * time.Second)
		want, answers := 4*time.Second, 0
		for range 20 {
			// Nothing known yet, an odd word, a gateway that fails: asked again.
			asked.report, asked.err = domain.DeliveryReport{State: "", Status: "99"}, nil
			switch answers % 3 {
			case 1:
				asked.report = domain.DeliveryReport{State: domain.MessageAccepted, Status: "-1"}
			case 2:
				asked.err = smsFails(domain.SMSDown)
			}
			answers++
			pause := ask()
			if pause != want {
				t.Fatalf("pause %d is %v, want %v", answers, pause, want)
			}
			w.clock.Add(pause)
			want = min(time.Hour, 2*want)
		}
		if len(asked.asked) != 20 || asked.asked[0] != sent.GatewayID {
			t.Errorf("asked %q", asked.asked)
		}
		if rows, err := w.DB.DeliveryReports(t.Context(), m.ID); err != nil || len(rows) != 2 {
			t.Errorf("the same answer again is on record: %+v, %v", rows, err)
		}
		asked.report, asked.err = domain.DeliveryReport{State: domain.MessageDelivered, Status: "0"}, nil
		if pause := ask(); pause != 0 {
			t.Errorf("again in %v after the answer", pause)
		}
		w.expect("asked", w.message(m.ID), fate{domain.MessageDelivered, "", "first", true})
		if pause := ask(); pause != 0 || len(asked.asked) != 21 {
			t.Errorf("again in %v, asked %d times", pause, len(asked.asked))
		}
		if _, err := w.AskDelivery(t.Context(), 999999); !domain.IsNotFound(err) {
			t.Errorf("a message that is not there: %v", err)
		}
		// It ends with the wait for a report as well.
		silent := w.another(m)
		w.Settings.MessagesPerWeek = 1000
		w.clock.Set(time.Date(2025, 6, 20, 9, 0, 0, 0, time.UTC))
		if got, _ := w.send(silent); got.State != domain.MessageAccepted {
			t.Fatalf("%s (%s)", got.State, got.Reason)
		}
		w.clock.Add(w.Settings.MessageReportWithin + time.Second)
		if err := w.SweepMessages(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again, err := w.AskDelivery(t.Context(), silent.ID); err != nil || !again.IsZero() {
			t.Errorf("again at %v, %v", again, err)
		}
		w.expect("swept", w.message(silent.ID), fate{domain.MessageUnknown, "no_report", "first", true})
	})
}

// A program that ended in the middle leaves a claimed message behind: nobody
// sends it again, and after a minute it says what it is.
func TestSweep(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		w.Settings.MessagesPerWeek = 1000
		sms := w.gateways("first")[0]
		sweep := func() {
			t.Helper()
			if err := w.SweepMessages(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		killed := errors.New("killed")
		gone := w.another(m)
		w.Gateways[0].Messages = hooked{sms, func(domain.SMSText) { panic(killed) }}
		func() {
			defer func() {
				if r := recover(); r != killed { //nolint:errorlint // the very one
					t.Errorf("recovered %v", r)
				}
			}()
			_, _ = w.SendMessage(t.Context(), gone.ID, false)
		}()
		w.clock.Add(time.Minute)
		sweep()
		if got := w.message(gone.ID); got.State != domain.MessageSending {
			t.Errorf("within the minute: %s", got.State)
		}
		w.clock.Add(time.Second)
		sweep()
		w.Gateways[0].Messages = sms
		got, again := w.send(gone)
		w.expect("left behind", got, fate{state: domain.MessageUnknown, reason: "interrupted"})
		if !again.IsZero() || len(sms.Sent()) != 0 {
			t.Errorf("again at %v, %d SMS", again, len(sms.Sent()))
		}
		if err := w.report(gone, "first", domain.MessageDelivered); err != nil {
			t.Fatal(err)
		}
		if got := w.message(gone.ID); got.State != domain.MessageDelivered || got.Gateway != "first" {
			t.Errorf("after its report: %s by %q", got.State, got.Gateway)
		}

		// One that was only slow is no victim of the sweep.
		for _, c := range []struct {
			answer error
			want   fate
		}{
			{nil, fate{domain.MessageAccepted, "", "first", true}},
			{smsFails(domain.SMSDown), fate{state: domain.MessageScheduled}},
			{smsFails(domain.SMSAmbiguous), fate{domain.MessageUnknown, "gateway_ambiguous", "first", true}},
		} {
			slow := w.another(m)
			sms.Fail(c.answer)
			w.Gateways[0].Messages = hooked{sms, func(domain.SMSText) { w.clock.Add(2 * time.Minute); sweep() }}
			got, _ := w.send(slow)
			w.expect("slow", got, c.want)
		}
	})
}

// named is a gateway that makes its names of the phone, as Devino's REST v2 does.
type named struct{ domain.Sender }

func (n named) Send(ctx context.Context, m domain.SMSText) (string, error) {
	_, err := n.Sender.Send(ctx, m)
	return "GW01" + m.To + "-5f3b", err
}

// Neither the gateway's name for a message nor a report that comes after the
// erasure brings the phone back.
func TestReportsOfTheErased(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79160000001"
		m := w.dueBuyer(phone)
		w.Gateways[0].Messages = named{w.gateways("first")[0]}
		sent, _ := w.send(m)
		if !strings.Contains(sent.GatewayID, phone) {
			t.Fatalf("the gateway's name is %q", sent.GatewayID)
		}
		told := domain.DeliveryReport{MessageID: m.ID, State: domain.MessageAccepted, Status: "goes to 8" + phone[2:]}
		if err := w.TakeReport(t.Context(), "first", told); err != nil {
			t.Fatal(err)
		}
		w.erase(m.ContactID)
		r := domain.DeliveryReport{MessageID: m.ID, GatewayID: sent.GatewayID, State: domain.MessageDelivered, Status: "came to " + phone, Detail: `{"x":"` + phone + `"}`}
		if err := w.TakeReport(t.Context(), "first", r); err != nil {
			t.Fatal(err)
		}
		if got := w.message(m.ID); got.State != domain.MessageDelivered {
			t.Errorf("the message is %s", got.State)
		}
		if text := w.dump(); strings.Contains(text, phone[2:]) {
			t.Error("the phone is back")
		}
	})
}
