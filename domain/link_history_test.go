package domain_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/domain/domaintest"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// linkHistory plays two visits at two tills, in which anything is typed, ticked
// and posted in any order, and holds what the program says of them against what
// the owners of the two phones have done.
type linkHistory struct {
	*world
	random  *rand.Rand
	step    int
	answers int // of phones, by a code
	did     []string
	visits  []*playedVisit
	// by phone: when its owner last said no, and when it last answered in a visit that had said yes after that; 0 is
	// the purchase that began it all
	no, yes map[string]int
	erased  map[string]int // when its owner last was; whoever comes again is somebody new
}

type playedVisit struct {
	domain.Actor
	id       int64
	phone    string // that stands in it
	begun    int    // the step at which its present link began
	said     int    // the step of its last yes to messages
	answered bool   // the phone has answered for this link
	personal bool
	messages bool
	codes    []playedCode
	forms    []string // of checks, to be sent once more
	pages    []string // that it ever had
}

type playedCode struct {
	code  string
	phone string
	step  int
}

// Whatever is done in whatever order: a visit is verified only by a code that was
// sent for its present link, a no of somebody whose phone has not answered
// silences nobody, and a no of a phone's owner holds until that phone answers to
// a later yes.
func TestAnyHistoryOfLinks(t *testing.T) {
	clock := domaintest.NewClock(sqltest.Start)
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		w := newWorld(t, db, clock)
		set := &w.Settings
		set.CodeLifetime = 20 * time.Minute
		for _, limit := range []*int{
			&set.CodeTries, &set.CodeTriesPerDay, &set.CodeLockAfter, &set.CodeTriesPerAdvisor, &set.CodeTriesPerStore,
			&set.CodeSelfTriesPerPage, &set.CodeSelfTriesPerAddress, &set.CodeSelfTriesPerAdvisor, &set.CodeSelfTriesPerStore,
			&set.CodeSendsPerPhone, &set.CodeSendsPerAdvisor, &set.CodeSendsPerAddress,
		} {
			*limit = 10_000
		}
		answers := 0
		for n := range 12 {
			seed := rand.Uint64()                                                                                                                      //nolint:gosec // chance, no secret
			h := &linkHistory{world: w, random: rand.New(rand.NewPCG(seed, 0)), no: map[string]int{}, yes: map[string]int{}, erased: map[string]int{}} //nolint:gosec // the same
			h.play(n)
			answers += h.answers
			if t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, strings.Join(h.did, "\n"))
			}
		}
		if answers < 20 {
			t.Errorf("phones have answered %d times; these histories show little", answers)
		}
		w.sound()
		w.limitsAgree("at the end")
	}, sqltest.WithClock(clock.Now))
}

func (h *linkHistory) play(n int) {
	phones := []string{fmt.Sprintf("+7916100%04d", 2*n), fmt.Sprintf("+7916100%04d", 2*n+1)}
	for _, p := range phones {
		h.buyer(p)
		h.no[p], h.yes[p] = -1, 0
	}
	h.clock.Add(5 * time.Minute)
	for _, a := range []domain.Actor{h.anna, h.timur} {
		v := h.consented(a, true, true)
		h.visits = append(h.visits, &playedVisit{Actor: a, id: v.ID, personal: true, messages: true})
	}
	for h.step = 1; h.step <= 60 && !h.t.Failed(); h.step++ {
		v := h.visits[h.random.IntN(2)]
		h.clock.Add(150 * time.Second) // past every pause, and codes grow old
		typed := h.act(v, phones)
		h.follow(v, typed)
		for _, other := range h.visits {
			h.hold(other)
		}
		for _, p := range phones {
			h.holdNo(p)
		}
	}
}

func (h *linkHistory) note(format string, args ...any) {
	h.did = append(h.did, fmt.Sprintf("%d: ", h.step)+fmt.Sprintf(format, args...))
}

// act does one thing at random; it gives the code that was typed, if any.
func (h *linkHistory) act(v *playedVisit, phones []string) (typed string) {
	ctx, what := h.t.Context(), h.random.IntN(16)
	// Chance alone would seldom bring a phone to its answer.
	out := slices.ContainsFunc(v.codes, func(c playedCode) bool { return c.phone == v.phone && c.step > v.begun })
	switch {
	case v.answered || h.random.IntN(2) == 0:
	case v.phone == "":
		what = 3
	case v.messages && !out:
		what = 5
	case out:
		what = 8
	}
	switch what {
	case 0, 1, 2:
		personal, messages := h.random.IntN(8) > 0, h.random.IntN(3) > 0
		if !v.personal || !v.messages { // mostly back to where a code may be sent
			personal, messages = true, h.random.IntN(6) > 0
		}
		h.note("visit %d: consents %t %t", v.id, personal, messages)
		fresh := messages && !v.messages || personal && !v.personal
		stood := v.messages
		h.consent(v.Actor, domain.Visit{ID: v.id, ProgrammeID: h.set.Programme.ID, Language: "ru"}, personal, messages)
		if v.answered && v.phone != "" && !(personal && messages) && (v.personal && !personal || v.messages && !messages) {
			h.no[v.phone] = h.step
		}
		if messages && !v.messages || personal && !v.personal {
			v.said = h.step
		}
		v.personal, v.messages = personal, messages
		switch {
		case !personal:
			v.phone, v.answered, v.begun = "", false, h.step
		case fresh || stood && !messages && !v.answered:
			v.answered, v.begun = false, h.step
		}
	case 3, 4:
		p := phones[h.random.IntN(2)]
		_, err := h.RecordContact(ctx, v.Actor, v.id, domain.ContactForm{Phone: p, Name: "Пётр"})
		h.note("visit %d: contact %s: %v", v.id, p, err)
		if err == nil && v.phone != p {
			v.phone, v.answered, v.begun = p, false, h.step
		}
	case 5, 6, 7:
		sent := len(h.sms.Sent())
		var err error
		if token := h.visit(v.id).SelfToken; token != "" && h.random.IntN(2) == 0 {
			err = h.SelfSend(ctx, token, h.request(), customersAddress)
		} else {
			_, err = h.SendCode(ctx, v.Actor, v.id, h.request())
		}
		h.note("visit %d: send: %d SMS, %v", v.id, len(h.sms.Sent())-sent, err)
		if len(h.sms.Sent()) > sent {
			v.codes = append(v.codes, playedCode{h.codeOf(v.phone), v.phone, h.step})
		}
		if token := h.visit(v.id).SelfToken; token != "" && !slices.Contains(v.pages, token) {
			v.pages = append(v.pages, token)
		}
	case 8, 9, 10, 11:
		typed = "0000"
		var all []playedCode
		for _, other := range h.visits {
			all = append(all, other.codes...)
		}
		if len(v.codes) > 0 && h.random.IntN(4) > 0 {
			typed = v.codes[len(v.codes)-1].code
		} else if len(all) > 0 {
			typed = all[h.random.IntN(len(all))].code
		}
		form := h.request()
		if len(v.forms) > 0 && h.random.IntN(4) == 0 {
			form = v.forms[h.random.IntN(len(v.forms))]
		}
		v.forms = append(v.forms, form)
		var err error
		if len(v.pages) > 0 && h.random.IntN(2) == 0 {
			err = h.SelfCheck(ctx, v.pages[h.random.IntN(len(v.pages))], form, typed, customersAddress)
		} else {
			_, err = h.CheckCode(ctx, v.Actor, v.id, form, typed)
		}
		h.note("visit %d: code %s: %v", v.id, typed, err)
	case 12:
		if h.random.IntN(2) > 0 {
			break
		}
		p := phones[h.random.IntN(2)]
		h.note("STOP from %s", p)
		if _, err := h.DB.ContactByPhone(ctx, p); err == nil { // otherwise it is nobody's, and stops nothing
			h.no[p] = h.step
		}
		h.hears(h.request()+p, p, "СТОП")
	case 13:
		if h.random.IntN(4) > 0 {
			break
		}
		p := phones[h.random.IntN(2)]
		id, err := h.DB.ContactByPhone(ctx, p)
		h.note("%s erased: %v", p, err)
		if err != nil {
			break
		}
		h.erase(id)
		h.no[p], h.erased[p] = h.step, h.step
		for _, o := range h.visits {
			if o.phone == p {
				o.phone, o.answered, o.personal, o.messages, o.begun = "", false, false, false, h.step
			}
		}
	case 14:
		if h.random.IntN(2) > 0 {
			break
		}
		h.note("Redis forgets everything")
		h.loses()
	case 15:
		h.note("the screen and the job")
		if _, _, err := h.CodeState(ctx, v.Actor, h.visit(v.id), domain.EntryAdvisor); err != nil {
			h.t.Error(err)
		}
		if _, err := h.SettleAttempts(ctx); err != nil {
			h.t.Error(err)
		}
	}
	return typed
}

// follow learns that a phone has answered, and fails where it cannot have.
func (h *linkHistory) follow(v *playedVisit, typed string) {
	h.t.Helper()
	if now := h.visit(v.id); now.VerifiedAt == nil || v.answered {
		return
	}
	if !slices.ContainsFunc(v.codes, func(c playedCode) bool { return c.code == typed && c.phone == v.phone && c.step > v.begun }) {
		h.t.Errorf("step %d: visit %d is verified by %q, and no such code was sent since step %d", h.step, v.id, typed, v.begun)
	}
	v.answered = true
	h.answers++
	if v.said > h.no[v.phone] || h.erased[v.phone] == h.no[v.phone] {
		h.yes[v.phone] = h.step
	}
}

// hold compares a visit with what was done in it.
func (h *linkHistory) hold(v *playedVisit) {
	h.t.Helper()
	now := h.visit(v.id)
	if now.Phone != v.phone || (now.VerifiedAt != nil) != v.answered {
		h.t.Errorf("step %d: visit %d has the phone %q, verified %v; played: %q, %t", h.step, v.id, now.Phone, now.VerifiedAt, v.phone, v.answered)
	}
}

// holdNo compares what counts for a phone with what its owner has said.
func (h *linkHistory) holdNo(phone string) {
	h.t.Helper()
	id, err := h.DB.ContactByPhone(h.t.Context(), phone)
	agrees := false
	if err == nil {
		c, failed := h.DB.ContactConsents(h.t.Context(), id)
		err, agrees = failed, c[domain.Communications] && c[domain.PersonalData]
	}
	if err != nil && !domain.IsNotFound(err) {
		h.t.Error(errors.Unwrap(err))
	}
	switch {
	case agrees && h.no[phone] > h.yes[phone]:
		h.t.Errorf("step %d: %s said no at step %d, and agrees though it has answered last at step %d", h.step, phone, h.no[phone], h.yes[phone])
	case !agrees && h.no[phone] < 0:
		h.t.Errorf("step %d: %s is silenced and has never said no", h.step, phone)
	}
}
