package domain

import (
	"strconv"
	"time"
)

// Programme is a referral programme as data: what a friend gets, how often a
// code may be used, how long it lives. A second programme is a second row and
// never a second copy of the code.
type Programme struct {
	ID             int64
	Name           string
	Brand          string // named in every SMS
	Active         bool
	DiscountsOn    bool      // the law may forbid discounts (15-ФЗ art. 16): off refuses every promo code
	FriendDiscount Discount  // what a friend gets for a referral code
	TrialDiscount  Discount  // what a trial code gives its owner
	ReferralUses   int       // friends per referral code
	ReferralDays   int       // days a referral code lives; 0 = for ever
	TrialDays      int       // days a trial code lives; 0 = for ever
	GiftFriends    int       // confirmed friends of one code that earn its owner a gift; 0 = no gifts
	GiftTitle      Localised // what it is; empty: just a gift
	CreatedAt      time.Time
}

// Discounts tells whether the programme gives any now.
func (p Programme) Discounts() bool { return p.Active && p.DiscountsOn }

// Discount is a share of the price or a fixed sum; exactly one is set.
type Discount struct {
	Percent int   // whole per cent, 0..100
	Kopecks int64 // fixed sum
}

// Of computes the discount on a price, in kopecks: rounded down to the
// kopeck, never more than the price.
func (d Discount) Of(price int64) int64 {
	off := d.Kopecks
	if d.Percent > 0 {
		off = price / 100 * int64(d.Percent)
		off += price % 100 * int64(d.Percent) / 100
	}
	return max(0, min(off, price))
}

// Product is a line of the programme's price list.
type Product struct {
	ID          int64
	ProgrammeID int64
	Name        string
	Price       int64 // kopecks
	Active      bool
	Position    int
}

// Question is one optional question of the programme's questionnaire, asked
// on the contact step. Options empty means free text.
type Question struct {
	ID          int64
	ProgrammeID int64
	Title       Localised
	Options     []Option
	Active      bool
	Position    int
}

// Option is one answer to choose; Value is what is stored.
type Option struct {
	Value string    `json:"value"`
	Title Localised `json:"title"`
}

// Localised is a text of the programme's own data by language code.
type Localised map[string]string

// In gives the text in a language, or in Russian where it lacks one.
func (l Localised) In(language string) string {
	if s := l[language]; s != "" {
		return s
	}
	return l["ru"]
}

// Answer is what a customer answered during one visit.
type Answer struct {
	QuestionID int64
	Value      string
}

// QuestionField is the name of a question's form field.
func QuestionField(id int64) string { return "question_" + strconv.FormatInt(id, 10) }
