package domain_test

import "time"

// The model of the promo codes: what the issue promises, said once more in
// plain maps and slices, one thing after the other, without a database, a
// lock or a transaction. It shares no line with what it is compared to.

// What the fixture's programme gives, and how long things last.
const (
	modelFriends     = 3 // that earn a gift, and the uses of a referral code
	modelHold        = 15 * time.Minute
	modelAbandoned   = 12 * time.Hour
	modelReferral    = 90 // days
	modelTrial       = 30
	modelPrice       = 2990_00
	modelPercent     = 15
	modelTrialAmount = 500_00
)

// modelZone is the store's; Moscow has had no summer time since 2014.
var modelZone = time.FixedZone("Moscow", 3*60*60)

type modelVisit struct {
	id       int64
	who      string // phone; empty: anonymous
	verified bool
	passed   bool // the promo step was left
	outcome  string
	discount int64
	voided   bool
	touched  time.Time
	uses     []*modelUse
}

type modelUse struct {
	code  *modelCode
	visit *modelVisit
	state string // as in the rows
	until time.Time
	kept  bool
}

type modelCode struct {
	id, giftID int64
	digits     string
	trial      bool
	owner      string // phone
	source     *modelVisit
	state      string
	ends       time.Time
	gift       string // empty: none
	giftVisit  *modelVisit
}

func (c *modelCode) max() int {
	if c.trial {
		return 1
	}
	return modelFriends
}

func (c *modelCode) discount() int64 {
	if c.trial {
		return modelTrialAmount
	}
	return modelPrice * modelPercent / 100
}

type model struct {
	now                             time.Time
	returns, oneLive, needsVerified bool // settings
	codes                           []*modelCode
	visits                          []*modelVisit
}

// each walks over every use there ever was.
func (m *model) each(f func(u *modelUse)) {
	for _, v := range m.visits {
		for _, u := range v.uses {
			f(u)
		}
	}
}

func (m *model) count(is func(u *modelUse) bool) (n int) {
	m.each(func(u *modelUse) {
		if is(u) {
			n++
		}
	})
	return n
}

func (m *model) runOut(u *modelUse) bool { return u.state == "held" && !m.now.Before(u.until) }

// stands tells a use that counts: confirmed, or held with time left.
func (m *model) stands(u *modelUse) bool {
	return u.state == "confirmed" || u.state == "held" && !m.runOut(u)
}

func (m *model) left(c *modelCode) int {
	return c.max() - m.count(func(u *modelUse) bool { return u.code == c && (m.stands(u) || u.kept) })
}

// spent leaves out what is only held: it may come back.
func (m *model) spent(c *modelCode) int {
	return m.count(func(u *modelUse) bool { return u.code == c && (u.state == "confirmed" || u.kept) })
}

func (m *model) held(c *modelCode) int {
	return m.count(func(u *modelUse) bool { return u.code == c && u.state == "held" && !m.runOut(u) })
}

func (m *model) confirmed(c *modelCode) int {
	return m.count(func(u *modelUse) bool { return u.code == c && u.state == "confirmed" })
}

// redeemed tells whether a phone has a use in another visit.
func (m *model) redeemed(phone string, except *modelVisit) bool {
	return m.count(func(u *modelUse) bool { return u.visit.who == phone && u.visit != except && m.stands(u) }) > 0
}

// bought gives a verified purchase of a phone that was not taken back.
func (m *model) bought(phone string, except *modelVisit) *modelVisit {
	for _, v := range m.visits {
		if v != except && v.who == phone && v.verified && v.outcome == "purchase" && !v.voided {
			return v
		}
	}
	return nil
}

// through tells whether a phone came through another's code, directly or not.
// A hold counts until somebody gives it back.
func (m *model) through(phone, owner string) bool {
	seen, next := map[string]bool{}, []string{phone}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		if at == owner {
			return true
		}
		if seen[at] {
			continue
		}
		seen[at] = true
		m.each(func(u *modelUse) {
			if u.visit.who == at && !u.code.trial && (u.state == "held" || u.state == "confirmed") {
				next = append(next, u.code.owner)
			}
		})
	}
	return false
}

// refusal gives the first reason against a use of a code by a phone; where no
// phone is known, what depends on it is not asked.
func (m *model) refusal(c *modelCode, phone string, v *modelVisit) string {
	switch {
	case c.state != "active":
		return c.state
	case !m.now.Before(c.ends):
		return "expired"
	case !c.trial && c.owner == phone:
		return "own_code"
	case c.trial && c.owner != phone:
		return "not_owner"
	case phone != "" && m.redeemed(phone, v):
		return "phone_used"
	case !c.trial && v != nil && m.through(c.owner, phone):
		return "ring"
	case m.left(c) > 0:
		return ""
	case m.held(c) > 0:
		return "all_held"
	}
	return "used_up"
}

// lookUp is the quick page.
func (m *model) lookUp(c *modelCode) string {
	phone := ""
	if c.trial {
		phone = c.owner
	}
	return m.refusal(c, phone, nil)
}

func (v *modelVisit) live() *modelUse {
	for _, u := range v.uses {
		if u.state == "held" || u.state == "confirmed" {
			return u
		}
	}
	return nil
}

func (v *modelVisit) release() {
	if u := v.live(); u != nil && u.state == "held" {
		u.state = "released"
	}
}

// apply types a code in a visit: slip is what is wrong with the digits alone,
// no code means one that was never given out.
func (m *model) apply(v *modelVisit, c *modelCode, slip string) string {
	switch {
	case v.outcome != "":
		return "error.visit_ended"
	case slip != "":
		return slip
	case v.who == "":
		return "no_phone"
	case m.needsVerified && !v.verified:
		return "unverified"
	case c == nil:
		return "unknown"
	}
	if u := v.live(); u == nil || u.code != c || m.runOut(u) {
		if why := m.refusal(c, v.who, v); why != "" {
			return why
		}
		v.release()
		m.hold(v, c)
	}
	v.touched = m.now
	return "ok"
}

// hold takes a use; what has run out and stands in the way is given back.
func (m *model) hold(v *modelVisit, c *modelCode) {
	m.each(func(u *modelUse) {
		if m.runOut(u) && (u.code == c || u.visit.who == v.who) {
			u.state = "expired"
		}
	})
	v.uses = append(v.uses, &modelUse{code: c, visit: v, state: "held", until: m.now.Add(modelHold)})
}

func (m *model) takeOff(v *modelVisit) string {
	if v.outcome != "" {
		return "error.visit_ended"
	}
	v.release()
	v.passed, v.touched = false, m.now
	return "ok"
}

func (m *model) pass(v *modelVisit) string {
	switch {
	case v.outcome != "":
		return "error.visit_ended"
	case v.who == "":
		return "error.step_too_early"
	}
	v.passed, v.touched = true, m.now
	return "ok"
}

// finish ends a visit. promised is the discount on the screen, below zero
// where the screen showed none. What it earns the customer comes back: a code,
// and whether it is a new one.
func (m *model) finish(v *modelVisit, outcome string, promised int64) (verdict string, earned *modelCode, isNew bool) {
	switch {
	case v.outcome != "":
		return "ok", nil, false
	case v.who != "" && !v.passed:
		return "error.step_too_early", nil, false
	}
	if outcome == "purchase" {
		if verdict := m.sell(v, promised); verdict != "ok" {
			return verdict, nil, false
		}
	}
	v.release()
	v.outcome, v.touched = outcome, m.now
	if v.who == "" || !v.verified || outcome == "left" ||
		outcome == "trial" && (m.redeemed(v.who, v) || m.bought(v.who, v) != nil) {
		return "ok", nil, false
	}
	earned, isNew = m.issue(v, outcome == "trial")
	return "ok", earned, isNew
}

func (m *model) sell(v *modelVisit, promised int64) string {
	u := v.live()
	var again *modelCode
	if u == nil && promised > 0 {
		again = m.lost(v)
	}
	discount := int64(0)
	switch {
	case u != nil:
		discount = u.code.discount()
	case again != nil:
		discount = again.discount()
	}
	if promised >= 0 && promised != discount {
		return "outcome.discount_changed"
	}
	if again != nil {
		m.hold(v, again)
		u = v.live()
	}
	v.discount = discount
	if u == nil {
		return "ok"
	}
	u.state = "confirmed"
	if c := u.code; !c.trial && c.state != "void" && m.confirmed(c) >= modelFriends && (c.gift == "" || c.gift == "revoked") {
		c.gift = "earned"
	}
	return "ok"
}

// lost gives the code whose hold the visit lost to the clock last, where it
// may have it back.
func (m *model) lost(v *modelVisit) *modelCode {
	if len(v.uses) == 0 || m.needsVerified && !v.verified {
		return nil
	}
	last := v.uses[len(v.uses)-1]
	if last.state != "expired" || m.refusal(last.code, v.who, v) != "" {
		return nil
	}
	return last.code
}

func (m *model) issue(v *modelVisit, trial bool) (*modelCode, bool) {
	if trial || m.oneLive {
		for i := len(m.codes) - 1; i >= 0; i-- {
			if c := m.codes[i]; c.owner == v.who && c.trial == trial && c.state != "void" && m.now.Before(c.ends) && m.spent(c) < c.max() {
				return c, false
			}
		}
	}
	days := modelReferral
	if trial {
		days = modelTrial
	}
	y, month, d := m.now.In(modelZone).Date()
	c := &modelCode{
		trial: trial, owner: v.who, source: v, state: "active",
		ends: time.Date(y, month, d+days+1, 0, 0, 0, 0, modelZone),
	}
	m.codes = append(m.codes, c)
	return c, true
}

func (m *model) void(v *modelVisit) string {
	switch {
	case v.outcome != "purchase":
		return "void.not_purchase"
	case v.voided:
		return "ok"
	}
	v.voided = true
	if u := v.live(); u != nil {
		u.state, u.kept = "voided", !m.returns
		if u.code.gift == "earned" && m.confirmed(u.code) < modelFriends {
			u.code.gift = "revoked"
		}
	}
	if v.who == "" || !v.verified {
		return "ok"
	}
	stays := m.bought(v.who, v) != nil
	for _, c := range m.codes {
		if c.owner == v.who && !c.trial && (!stays || !m.oneLive && c.source == v) {
			c.state = "void"
			// No number of friends is enough for a gift of a returned purchase.
			if c.gift == "earned" {
				c.gift = "revoked"
			}
		}
	}
	return "ok"
}

func (m *model) collect(v *modelVisit, c *modelCode) string {
	switch {
	case v.outcome != "":
		return "error.visit_ended"
	case v.who == "" || !v.verified:
		return "error.step_too_early"
	case c.owner != v.who:
		return "error.not_found"
	case c.giftVisit == v:
	case c.gift != "earned":
		return "gift.gone"
	}
	c.gift, c.giftVisit, v.touched = "collected", v, m.now
	return "ok"
}

// sweep gives back what has run out and tells how many.
func (m *model) sweep() (n int) {
	m.each(func(u *modelUse) {
		if m.runOut(u) {
			u.state = "expired"
			n++
		}
	})
	return n
}

// abandon ends what nobody has touched and tells how many.
func (m *model) abandon() (n int) {
	for _, v := range m.visits {
		if v.outcome == "" && m.now.Sub(v.touched) > modelAbandoned {
			v.release()
			v.outcome = "abandoned"
			n++
		}
	}
	return n
}
