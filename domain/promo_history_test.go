package domain_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"prilavok/domain"
	"prilavok/domain/domaintest"
	"prilavok/sql/sqltest"
)

// TestPromoHistory lets many clients work on a few promo codes at the same
// moment and looks afterwards for an order, true to the clock, in which one
// after the other would have been answered the same. Phones use one code only,
// so each code has a history of its own.
func TestPromoHistory(t *testing.T) {
	soak(t, func(t *testing.T, seed uint64, seen *tally) {
		clock := domaintest.NewClock(sqltest.Start)
		w := newWorld(t, sqltest.Postgres(t, sqltest.WithClock(clock.Now)), clock)
		w.unlimited()
		const batches, codes, clients, each = 8, 3, 12, 25
		var history []porcupine.Operation
		for batch := range batches {
			h := &promoHistory{w: w, began: time.Now(), seen: seen, at: int64(batch) << 50}
			for i := range codes {
				h.codes = append(h.codes, h.prepare(batch*codes+i))
			}
			var wg sync.WaitGroup
			for client := range clients {
				dice := rand.New(rand.NewPCG(seed, uint64(batch*clients+client))) //nolint:gosec // repeated by its seed
				wg.Go(func() {
					for range each {
						h.step(client, dice)
					}
				})
			}
			wg.Wait()
			history = append(history, h.done...)
		}
		if len(history) == 0 || t.Failed() {
			t.Fatalf("%d operations", len(history))
		}
		began := time.Now()
		result, info := porcupine.CheckOperationsVerbose(promoModel, history, 2*time.Minute)
		seen.add("history: " + string(result))
		t.Logf("%d operations, checked in %v", len(history), time.Since(began).Round(time.Millisecond))
		if result != porcupine.Ok {
			t.Errorf("the history is %s: no order of the operations explains the answers\n%s", result, placed(info))
		}
		if never := seen.never("hold: frozen", "hold: phone_used", "expire: ok", "void: ok"); len(never) > 0 {
			t.Errorf("the dice never came to %q; the race was none", never)
		}
		if d, err := w.Recount(t.Context()); err != nil || len(d) > 0 {
			t.Errorf("the recount: %v, %v", d, err)
		}
	})
}

// Each code has its friends, of whom every two visits share a phone, and the
// visits in which its owner asks for the gift.
const historyVisits, historyOwners = 14, 2

type historyCode struct {
	n      int // names the partition
	code   domain.PromoCode
	visits [historyVisits]int64
	owners [historyOwners]int64

	mu   sync.Mutex
	held [historyVisits]int64 // the redemption that a visit got last
}

type promoHistory struct {
	w     *world
	codes []*historyCode
	seen  *tally
	began time.Time
	at    int64 // batches follow each other

	mu   sync.Mutex
	done []porcupine.Operation
}

func (h *promoHistory) prepare(n int) *historyCode {
	w := h.w
	w.t.Helper()
	arrive := func(phone string) int64 {
		id, err := w.arrived(w.anna, phone, true)
		if err != nil {
			w.t.Fatal(err)
		}
		return id
	}
	c := &historyCode{n: n}
	owner := fmt.Sprintf("+7916%05d99", n)
	first := w.finished(w.anna, domain.Visit{ID: arrive(owner)}, domain.Purchase)
	c.code = w.promo(w.messages(first)[0].PromoCodeID)
	for i := range c.visits {
		c.visits[i] = arrive(fmt.Sprintf("+7916%05d%02d", n, i/2))
		w.must(w.PassPromo(w.t.Context(), w.anna, c.visits[i]))
	}
	for i := range c.owners {
		c.owners[i] = arrive(owner)
	}
	return c
}

// historyInput is one operation on one code.
type historyInput struct {
	code, visit int
	op          string
	held        int64 // expire: the redemption that has run out
	promised    bool  // buy: the screen showed the discount
	keep        bool  // void: the use does not come back
}

// historyOutput is how it was answered.
type historyOutput struct {
	verdict string
	held    int64 // hold: the redemption
	used    int   // read: how many uses are gone
	off     bool  // buy: with the discount
}

// step does one thing at random and writes down when it began and ended.
func (h *promoHistory) step(client int, dice *rand.Rand) {
	c := h.codes[dice.IntN(len(h.codes))]
	in := historyInput{code: c.n, visit: dice.IntN(historyVisits), promised: dice.IntN(6) > 0, keep: dice.IntN(8) == 0}
	switch n := dice.IntN(32); {
	case n < 10:
		in.op = "hold"
	case n < 11:
		in.op = "release"
	case n < 19:
		in.op = "buy"
	case n < 22:
		in.op, in.visit = "collect", dice.IntN(historyOwners)
	case n < 24:
		in.op = "void"
	case n < 25:
		in.op = "freeze"
	case n < 28:
		in.op = "thaw"
	case n < 30:
		in.op = "expire"
		c.mu.Lock()
		in.held = c.held[in.visit]
		c.mu.Unlock()
	case n < 31:
		in.op = "read"
	default:
		in.op = "gift"
	}
	call := time.Since(h.began).Nanoseconds()
	out := h.do(c, in)
	end := time.Since(h.began).Nanoseconds()
	h.seen.add(in.op + ": " + out.verdict)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: h.at + call, Return: h.at + end})
}

func (h *promoHistory) do(c *historyCode, in historyInput) (out historyOutput) {
	w, ctx := h.w, h.w.t.Context()
	var err error
	switch in.op {
	case "hold":
		var r domain.Redemption
		if r, err = w.ApplyPromo(ctx, w.anna, c.visits[in.visit], c.code.Code); err == nil {
			out.held = r.ID
			c.mu.Lock()
			c.held[in.visit] = r.ID
			c.mu.Unlock()
		}
	case "release":
		// The promo step is left again at once, so that the visit can buy.
		err = w.DB.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
			if _, err := tx.LockVisit(ctx, c.visits[in.visit]); err != nil {
				return err
			}
			r, err := tx.LiveRedemption(ctx, c.visits[in.visit])
			if err != nil || r.State != domain.RedemptionHeld {
				return nil //nolint:nilerr // nothing is held
			}
			_, err = tx.Release(ctx, r.ID, domain.RedemptionReleased, w.Now())
			return err
		})
	case "buy":
		form := domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID}
		if off := c.code.Discount.Of(w.set.Products[0].Price); in.promised {
			form.Discount = &off
		}
		var v domain.Visit
		v, err = w.FinishVisit(ctx, w.anna, c.visits[in.visit], form)
		out.off = v.Discount > 0
	case "collect":
		var g domain.Gift
		if g, err = w.DB.GiftOfCode(ctx, c.code.ID); err == nil {
			_, err = w.CollectGift(ctx, w.anna, c.owners[in.visit], g.ID)
		}
	case "void":
		s := *w.Service
		s.Settings.PromoVoidReturnsUse = !in.keep
		_, err = s.VoidPurchase(ctx, w.vera(), c.visits[in.visit], "Вернули товар")
	case "freeze", "thaw":
		err = w.freeze(ctx, c.code.ID, in.op == "freeze")
	case "expire": // what ExpireHolds does to each hold
		var ok bool
		err = w.DB.InTx(ctx, func(ctx context.Context, tx domain.Tx) (err error) {
			ok, err = tx.Release(ctx, in.held, domain.RedemptionExpired, w.Now())
			return err
		})
		if !ok && err == nil {
			return historyOutput{verdict: "not held"}
		}
	case "read":
		var p domain.PromoCode
		if p, err = w.DB.PromoCodeByID(ctx, c.code.ID); err == nil {
			return historyOutput{verdict: string(p.State), used: p.Used}
		}
	case "gift":
		var g domain.Gift
		if g, err = w.DB.GiftOfCode(ctx, c.code.ID); err == nil {
			return historyOutput{verdict: string(g.State)}
		}
	}
	out.verdict = verdict(err)
	return out
}

// historyState is one code with its visits; comparable, so that the checker
// can tell where it has been.
type historyState struct {
	frozen bool
	kept   int8
	gift   string
	by     int8 // the owner's visit that collected it
	visits [historyVisits]struct {
		state string // empty, held, lost, confirmed, plain (bought without the code), voided
		held  int64
		off   bool
	}
}

func (s historyState) count(state string) (n int) {
	for _, v := range s.visits {
		if v.state == state {
			n++
		}
	}
	return n
}

func (s historyState) used() int { return s.count("held") + s.count("confirmed") + int(s.kept) }

// phoneUsed tells whether the other visit of the phone has a use.
func (s historyState) phoneUsed(visit int) bool {
	other := s.visits[visit^1].state
	return other == "held" || other == "confirmed"
}

func (s historyState) free(visit int) bool {
	return !s.frozen && s.used() < modelFriends && !s.phoneUsed(visit)
}

var historySeed = maphash.MakeSeed()

// promoModel says what one operation after the other would do. A success
// needs a moment at which nothing stood in its way. A refusal must name what
// was true at some moment of the request; which of several reasons it names,
// and whether the last uses are held or confirmed, is told from reads that may
// be a moment apart.
var promoModel = porcupine.Model{
	Partition: func(all []porcupine.Operation) (out [][]porcupine.Operation) {
		parts := map[int]int{}
		for _, o := range all {
			in, _ := o.Input.(historyInput)
			code := in.code
			if _, ok := parts[code]; !ok {
				parts[code] = len(out)
				out = append(out, nil)
			}
			out[parts[code]] = append(out[parts[code]], o)
		}
		return out
	},
	Init: func() any { return historyState{} },
	Step: func(state, input, output any) (bool, any) {
		s, _ := state.(historyState) // a copy, which is changed
		in, _ := input.(historyInput)
		out, _ := output.(historyOutput)
		return s.step(in, out), s
	},
	Hash: func(state any) uint64 { return maphash.Comparable(historySeed, state) },
}

// step changes the state as the operation would and tells whether it may be
// answered so.
func (s *historyState) step(in historyInput, out historyOutput) bool {
	v := &s.visits[in.visit]
	ended := v.state == "confirmed" || v.state == "plain" || v.state == "voided"
	switch in.op {
	case "hold":
		switch out.verdict {
		case "ok":
			if v.state == "held" {
				return v.held == out.held
			}
			if ended || !s.free(in.visit) {
				return false
			}
			v.state, v.held = "held", out.held
			return true
		case "frozen":
			return s.frozen && !ended
		case "phone_used":
			return s.phoneUsed(in.visit) && !ended
		case "all_held", "used_up":
			return s.used() >= modelFriends && !ended
		}
		return out.verdict == "error.visit_ended" && ended
	case "release":
		if v.state == "held" {
			v.state = ""
		}
		return out.verdict == "ok"
	case "expire":
		held := in.held != 0 && v.state == "held" && v.held == in.held
		if held {
			v.state = "lost"
		}
		return held == (out.verdict == "ok")
	case "buy":
		return s.buy(in, out)
	case "void":
		return s.void(in, out)
	case "freeze", "thaw":
		s.frozen = in.op == "freeze"
		return out.verdict == "ok"
	case "collect":
		switch s.gift {
		case "":
			return out.verdict == "error.not_found"
		case "earned":
			s.gift, s.by = "collected", int8(in.visit)
			return out.verdict == "ok"
		}
		return (out.verdict == "ok") == (s.gift == "collected" && s.by == int8(in.visit)) && out.verdict != "error.not_found"
	case "read":
		return (out.verdict == "frozen") == s.frozen && out.used == s.used()
	case "gift":
		return out.verdict == s.gift || out.verdict == "error.not_found" && s.gift == ""
	}
	return false
}

func (s *historyState) buy(in historyInput, out historyOutput) bool {
	v := &s.visits[in.visit]
	switch {
	case v.state == "confirmed" || v.state == "plain" || v.state == "voided":
		return out.verdict == "ok" && out.off == v.off
	case out.verdict == "outcome.discount_changed":
		return v.state != "held" // the advisor is asked again
	case out.verdict != "ok":
		return false
	case !out.off:
		v.state = map[bool]string{true: "held", false: "plain"}[v.state == "held"]
		return v.state == "plain" && !in.promised
	case v.state != "held" && (v.state != "lost" || !in.promised || !s.free(in.visit)):
		return false
	}
	v.state, v.off = "confirmed", true
	if s.count("confirmed") >= modelFriends && (s.gift == "" || s.gift == "revoked") {
		s.gift = "earned"
	}
	return true
}

func (s *historyState) void(in historyInput, out historyOutput) bool {
	v := &s.visits[in.visit]
	switch v.state {
	case "voided":
		return out.verdict == "ok"
	case "plain", "confirmed":
	default:
		return out.verdict == "void.not_purchase"
	}
	if v.state == "confirmed" && in.keep {
		s.kept++
	}
	v.state = "voided"
	if s.gift == "earned" && s.count("confirmed") < modelFriends {
		s.gift = "revoked"
	}
	return out.verdict == "ok"
}

// placed shows where the checker got stuck, code by code.
func placed(info porcupine.LinearizationInfo) string {
	var b strings.Builder
	for i, orders := range info.PartialLinearizationsOperations() {
		var longest []porcupine.Operation
		for _, order := range orders {
			if len(order) > len(longest) {
				longest = order
			}
		}
		fmt.Fprintf(&b, "code %d: %d operations placed, the last of them\n", i, len(longest))
		for _, o := range longest[max(0, len(longest)-8):] {
			fmt.Fprintf(&b, "    %+v → %+v\n", o.Input, o.Output)
		}
	}
	return b.String()
}
