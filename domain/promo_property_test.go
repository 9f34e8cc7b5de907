package domain_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"prilavok/domain"
	"prilavok/domain/domaintest"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// TestPromoProperty does everything that can be done with promo codes in
// random order, to the service on a real database and to the model, which must
// agree after every step: on the answer, on what is left, on the gifts. At the
// end the rows agree with what is derived from them.
func TestPromoProperty(t *testing.T) {
	for name, open := range map[string]func(testing.TB, ...sqltest.Option) *sql.DB{"sqlite": sqltest.New, "postgres": sqltest.Postgres} {
		t.Run(name, func(t *testing.T) {
			if name == "sqlite" {
				sqltest.SkipEmbedded(t)
			}
			soak(t, func(t *testing.T, seed uint64, seen *tally) {
				clock := domaintest.NewClock(sqltest.Start)
				w := newWorld(t, open(t, sqltest.WithClock(clock.Now)), clock)
				w.unlimited()
				for name, value := range map[string]string{
					"rapid.checks": "40", "rapid.steps": "40", "rapid.seed": strconv.FormatUint(seed, 10), "rapid.nofailfile": "true",
				} {
					setFlag(t, name, value)
				}
				rapid.Check(t, func(t *rapid.T) { promoProperty(t, w, seen) })
				if never := seen.never("apply: used_up", "apply: frozen", "apply: phone_used", "use: released",
					"use: voided", "gift: earned"); len(never) > 0 {
					t.Errorf("the dice never came to %q", never)
				}
			})
		})
	}
}

// unlimited takes the limits of guesses and SMS away.
func (w *world) unlimited() {
	const many = 1 << 30
	w.Settings.PromoTriesPerAdvisor, w.Settings.PromoTriesPerStore, w.Settings.PromoTriesPerAddress = many, many, many
}

// arrived puts a visit where the code step is over, in one transaction: the
// steps before it are not what is tried here. No phone is an anonymous visit.
func (w *world) arrived(a domain.Actor, phone string, verified bool) (id int64, err error) {
	now := w.clock.Now()
	v := domain.Visit{
		ProgrammeID: w.set.Programme.ID, StoreID: a.StoreID, AdvisorID: a.ID, RequestID: "arrived-" + domain.RandomToken(12),
		Language: "ru", Day: now.Format(time.DateOnly), StartedAt: now, TouchedAt: now, Age: domain.AgeNoDoubt,
		ConsentsAt: &now, PersonalData: phone != "", Communications: phone != "",
	}
	err = w.DB.InTx(w.t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
		if phone != "" {
			contact, _, err := tx.ContactForPhone(ctx, domain.Contact{Phone: phone, Name: "Пётр", Language: "ru", CreatedAt: now})
			if err != nil {
				return err
			}
			v.ContactID, v.CustomerName, v.CodeSkipped = &contact, "Пётр", !verified
		}
		if v.ID, _, err = tx.AddVisit(ctx, v); err != nil || phone == "" || !verified {
			return err
		}
		v.VerifiedAt = &now
		if _, err := tx.AddVerification(ctx, domain.Verification{
			ChallengeID: v.RequestID, VisitID: v.ID, ContactID: *v.ContactID, StoreID: v.StoreID, StaffID: a.ID, At: now,
		}); err != nil {
			return err
		}
		return tx.SaveVisit(ctx, v)
	})
	return v.ID, err
}

// freeze stops a code for a while, or lets it be used again.
func (w *world) freeze(ctx context.Context, id int64, on bool) error {
	state := domain.PromoActive
	if on {
		state = domain.PromoFrozen
	}
	return w.DB.InTx(ctx, func(ctx context.Context, tx domain.Tx) error { return tx.SetPromoState(ctx, id, state) })
}

// verdict is an answer in one word: "ok", why a code was refused, or the key
// of what else was said.
func verdict(err error) string {
	var refused *domain.Refusal
	var e *domain.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return string(refused.Reason)
	case errors.As(err, &e) && e.Kind != domain.Internal && e.Message.Key != "":
		return e.Message.Key
	}
	return "error: " + err.Error()
}

// played is one life of a few people and their codes.
type played struct {
	*rapid.T
	w      *world
	m      *model
	seen   *tally
	people []string
}

func promoProperty(t *rapid.T, w *world, seen *tally) {
	p := &played{T: t, w: w, seen: seen, m: &model{
		returns:       true,
		oneLive:       rapid.Bool().Draw(t, "one live code"),
		needsVerified: rapid.IntRange(0, 3).Draw(t, "verified") > 0,
	}}
	w.Settings.PromoOneLiveCode, w.Settings.PromoNeedsVerifiedPhone = p.m.oneLive, p.m.needsVerified
	p.clearUp()
	for range 8 {
		w.n++
		p.people = append(p.people, fmt.Sprintf("+7916%07d", w.n))
	}
	for _, owner := range p.people[:2] {
		v := p.arrive(owner, true)
		p.pass(v)
		p.finish(v, "purchase", -1)
	}
	t.Repeat(map[string]func(*rapid.T){
		"":       func(*rapid.T) { p.compare() },
		"arrive": func(*rapid.T) { p.arrive(p.person(), p.now(7, 8)) },
		"nobody": func(t *rapid.T) {
			if !p.now(1, 6) {
				t.Skip()
			}
			p.arrive("", false)
		},
		"apply":    func(*rapid.T) { p.apply(p.visit(), p.code()) },
		"slip":     func(*rapid.T) { p.slip(p.visit()) },
		"look up":  func(*rapid.T) { p.lookUp(p.code()) },
		"take off": func(*rapid.T) { p.takeOff(p.visit()) },
		"pass":     func(*rapid.T) { p.pass(p.visit()) },
		"buy":      func(*rapid.T) { p.buy(p.visit()) },
		"leave":    func(*rapid.T) { p.leave(p.visit()) },
		"friends": func(*rapid.T) {
			for range rapid.IntRange(1, 4).Draw(p.T, "friends") {
				p.friend(p.m.codes[0])
			}
		},
		// Whoever let a hold run out comes again, and asks for another code.
		"late": func(*rapid.T) {
			who := p.person()
			p.apply(p.arrive(who, true), p.code())
			p.forward(modelHold)
			p.apply(p.arrive(who, true), p.code())
		},
		"hold":    func(*rapid.T) { p.apply(p.arrive(p.person(), true), p.code()) },
		"wait":    func(*rapid.T) { p.wait() },
		"sweep":   func(*rapid.T) { p.sweep() },
		"abandon": func(*rapid.T) { p.abandon() },
		"void":    func(t *rapid.T) { p.void(t) },
		"freeze":  func(*rapid.T) { p.freeze(p.code()) },
		"collect": func(t *rapid.T) { p.collect(t) },
	})
	p.end()
}

// clearUp ends what the life before left open.
func (p *played) clearUp() {
	p.w.clock.Add(modelAbandoned + time.Second)
	if _, err := p.w.AbandonStaleVisits(p.w.t.Context()); err != nil {
		p.Fatal(err)
	}
	p.m.now = p.w.clock.Now()
}

// now says yes n times out of so many.
func (p *played) now(n, of int) bool { return rapid.IntRange(1, of).Draw(p.T, "dice") <= n }

func (p *played) person() string { return rapid.SampledFrom(p.people).Draw(p.T, "who") }

// code gives the first one most of the time: what happens to one code often
// is worth more than what happens to many once.
func (p *played) code() *modelCode {
	if p.now(1, 2) {
		return p.m.codes[0]
	}
	return p.m.codes[rapid.IntRange(0, len(p.m.codes)-1).Draw(p.T, "code")]
}

// visit gives an open one, and now and then any.
func (p *played) visit() *modelVisit {
	var open []*modelVisit
	for _, v := range p.m.visits {
		if v.outcome == "" {
			open = append(open, v)
		}
	}
	if len(open) == 0 || p.now(1, 8) {
		open = p.m.visits
	}
	return open[rapid.IntRange(0, len(open)-1).Draw(p.T, "visit")]
}

// same fails where the two disagree.
func (p *played) same(what, got, model string) {
	p.seen.add(what + ": " + model)
	if got != model {
		p.Fatalf("%s: %s, the model says %s", what, got, model)
	}
}

func (p *played) arrive(who string, verified bool) *modelVisit {
	id, err := p.w.arrived(p.w.anna, who, verified)
	if err != nil {
		p.Fatal(err)
	}
	v := &modelVisit{id: id, who: who, verified: verified, touched: p.m.now}
	p.m.visits = append(p.m.visits, v)
	return v
}

func (p *played) apply(v *modelVisit, c *modelCode) {
	_, err := p.w.ApplyPromo(p.w.t.Context(), p.w.anna, v.id, c.digits)
	p.same("apply", verdict(err), p.m.apply(v, c, ""))
}

func (p *played) slip(v *modelVisit) {
	typed := rapid.SampledFrom([]string{"12345", "5724000001", "5724000000"}).Draw(p.T, "typed")
	_, err := p.w.ApplyPromo(p.w.t.Context(), p.w.anna, v.id, typed)
	p.same("slip", verdict(err), p.m.apply(v, nil, map[string]string{"12345": "malformed", "5724000001": "typo"}[typed]))
}

func (p *played) lookUp(c *modelCode) {
	a, err := p.w.LookUpPromo(p.w.t.Context(), p.w.anna, c.digits)
	if err != nil {
		p.Fatal(err)
	}
	answer := ""
	if a.Refusal != nil {
		answer = string(a.Refusal.Reason)
	}
	p.same("look up", answer, p.m.lookUp(c))
	if a.Code.Left() != p.m.left(c) || a.Held != p.m.held(c) {
		p.Fatalf("%d left, %d held; the model says %d and %d", a.Code.Left(), a.Held, p.m.left(c), p.m.held(c))
	}
}

func (p *played) takeOff(v *modelVisit) {
	_, err := p.w.ReleasePromo(p.w.t.Context(), p.w.anna, v.id)
	p.same("take off", verdict(err), p.m.takeOff(v))
}

func (p *played) pass(v *modelVisit) {
	_, err := p.w.PassPromo(p.w.t.Context(), p.w.anna, v.id)
	p.same("pass", verdict(err), p.m.pass(v))
}

func (p *played) buy(v *modelVisit) {
	if v.outcome == "" && v.who != "" && p.now(7, 8) {
		p.pass(v)
	}
	p.finish(v, "purchase", rapid.SampledFrom([]int64{-1, -1, 0, modelPrice * modelPercent / 100, modelTrialAmount}).Draw(p.T, "promised"))
}

func (p *played) leave(v *modelVisit) {
	if v.outcome == "" && v.who != "" && p.now(7, 8) {
		p.pass(v)
	}
	p.finish(v, rapid.SampledFrom([]string{"left", "trial"}).Draw(p.T, "outcome"), -1)
}

// friend comes, uses a code and buys.
func (p *played) friend(c *modelCode) {
	v := p.arrive(p.person(), true)
	p.apply(v, c)
	p.pass(v)
	p.finish(v, "purchase", -1)
}

func (p *played) finish(v *modelVisit, outcome string, promised int64) {
	form := domain.OutcomeForm{Outcome: domain.Outcome(outcome), ProductID: p.w.set.Products[0].ID}
	if promised >= 0 {
		form.Discount = &promised
	}
	known := len(p.m.codes)
	done, err := p.w.FinishVisit(p.w.t.Context(), p.w.anna, v.id, form)
	want, earned, isNew := p.m.finish(v, outcome, promised)
	p.same("finish", verdict(err), want)
	if err != nil {
		return
	}
	if string(done.Outcome) != v.outcome || done.Discount != v.discount || done.Voided() != v.voided {
		p.Fatalf("ended %s with %d off, voided %t; the model says %+v", done.Outcome, done.Discount, done.Voided(), v)
	}
	if earned == nil {
		return
	}
	messages, err := p.w.DB.VisitMessages(p.w.t.Context(), v.id)
	if err != nil {
		p.Fatal(err)
	}
	for _, m := range messages {
		switch {
		case m.Kind == domain.GiftMessage, m.Channel == domain.CodeChannel:
		case isNew:
			got, err := p.w.DB.PromoCodeByID(p.w.t.Context(), m.PromoCodeID)
			if err != nil {
				p.Fatal(err)
			}
			for _, c := range p.m.codes[:known] {
				if c.id == got.ID {
					p.Fatalf("the old code %d was given instead of a new one", c.id)
				}
			}
			earned.id, earned.digits = got.ID, got.Code
		case m.PromoCodeID != earned.id:
			p.Fatalf("the code %d was given, the model says %d", m.PromoCodeID, earned.id)
		}
	}
	if earned.id == 0 {
		p.Fatalf("no code was given")
	}
}

func (p *played) wait() {
	d := rapid.SampledFrom([]time.Duration{
		time.Minute, 5 * time.Minute, 5 * time.Minute, modelHold - time.Microsecond, modelHold, modelHold, time.Hour,
		time.Hour, modelAbandoned, modelAbandoned + time.Second, 31 * 24 * time.Hour, 91 * 24 * time.Hour,
	}).Draw(p.T, "wait")
	if d > 24*time.Hour && !p.now(1, 3) {
		d = time.Microsecond
	}
	p.forward(d)
}

func (p *played) forward(d time.Duration) {
	p.w.clock.Add(d)
	p.m.now = p.w.clock.Now()
}

func (p *played) sweep() {
	n, err := p.w.ExpireHolds(p.w.t.Context())
	if n > 0 {
		p.seen.add("sweep: some")
	}
	if want := p.m.sweep(); err != nil || n != want {
		p.Fatalf("%d holds expired, %v; the model says %d", n, err, want)
	}
}

func (p *played) abandon() {
	n, err := p.w.AbandonStaleVisits(p.w.t.Context())
	if want := p.m.abandon(); err != nil || n != want {
		p.Fatalf("%d visits abandoned, %v; the model says %d", n, err, want)
	}
}

// void takes a purchase back, mostly one with a code.
func (p *played) void(t *rapid.T) {
	var ended, coded, gifted []*modelVisit
	for _, v := range p.m.visits {
		if v.outcome != "" {
			ended = append(ended, v)
		}
		if u := v.live(); u != nil && u.state == "confirmed" {
			coded = append(coded, v)
			if u.code.gift == "earned" {
				gifted = append(gifted, v)
			}
		}
	}
	if len(coded) > 0 && p.now(9, 10) {
		ended = coded
	}
	if len(gifted) > 0 && p.now(1, 2) {
		ended = gifted
	}
	if len(ended) == 0 {
		t.Skip("nothing to void")
	}
	v := ended[rapid.IntRange(0, len(ended)-1).Draw(p.T, "purchase")]
	p.m.returns = p.now(3, 4)
	p.w.Settings.PromoVoidReturnsUse = p.m.returns
	_, err := p.w.VoidPurchase(p.w.t.Context(), p.w.vera(), v.id, "Вернули товар")
	p.same("void", verdict(err), p.m.void(v))
}

func (p *played) freeze(c *modelCode) {
	for _, frozen := range p.m.codes {
		if frozen.state == "frozen" {
			c = frozen // thawed before another is frozen
		}
	}
	if c.state == "void" {
		return // nobody can bring it back
	}
	thaw := c.state == "frozen"
	if err := p.w.freeze(p.w.t.Context(), c.id, !thaw); err != nil {
		p.Fatal(err)
	}
	c.state = map[bool]string{true: "active", false: "frozen"}[thaw]
}

// collect asks for a gift, mostly in a visit of its owner.
func (p *played) collect(t *rapid.T) {
	var gifts []*modelCode
	for _, c := range p.m.codes {
		if c.gift != "" {
			gifts = append(gifts, c)
		}
	}
	if len(gifts) == 0 {
		t.Skip("no gifts")
	}
	c := gifts[rapid.IntRange(0, len(gifts)-1).Draw(p.T, "gift")]
	v := p.visit()
	if p.now(3, 4) {
		v = p.arrive(c.owner, true)
	}
	_, err := p.w.CollectGift(p.w.t.Context(), p.w.anna, v.id, c.giftID)
	p.same("collect", verdict(err), p.m.collect(v, c))
}

// compare holds every code against the model.
func (p *played) compare() {
	for _, c := range p.m.codes {
		got, err := p.w.DB.PromoCodeByID(p.w.t.Context(), c.id)
		if err != nil {
			p.Fatal(err)
		}
		if string(got.State) != c.state || got.Left() != p.m.left(c) || !got.ExpiresAt.Equal(c.ends) {
			p.Fatalf("code %d is %s, %d left, until %v; the model says %s, %d, %v",
				c.id, got.State, got.Left(), got.ExpiresAt, c.state, p.m.left(c), c.ends)
		}
		if c.trial {
			continue
		}
		g, err := p.w.DB.GiftOfCode(p.w.t.Context(), c.id)
		if err != nil && !domain.IsNotFound(err) {
			p.Fatal(err)
		}
		if string(g.State) != c.gift {
			p.Fatalf("the gift of code %d is %q, the model says %q", c.id, g.State, c.gift)
		}
		if c.giftID = g.ID; c.gift != "" {
			p.seen.add("gift: " + c.gift)
		}
	}
}

// end holds every use that there was against the rows, and what is derived
// against both.
func (p *played) end() {
	for _, v := range p.m.visits {
		rows, err := p.w.DB.Redemptions(p.w.t.Context(), v.id)
		if err != nil || len(rows) != len(v.uses) {
			p.Fatalf("visit %d has %d uses, %v; the model says %d", v.id, len(rows), err, len(v.uses))
		}
		for i, r := range rows {
			u := v.uses[i]
			if r.PromoCodeID != u.code.id || string(r.State) != u.state || r.UseKept != u.kept {
				p.Fatalf("use %d is %+v, the model says %s of code %d, kept %t", r.ID, r, u.state, u.code.id, u.kept)
			}
			p.seen.add("use: " + u.state)
		}
	}
	differences, err := p.w.Recount(p.w.t.Context())
	if err != nil || len(differences) > 0 {
		p.Fatalf("the recount: %v, %v", differences, err)
	}
}
