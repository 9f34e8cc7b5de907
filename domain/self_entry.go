package domain

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
)

// SelfEntry is what the customer's own page shows: the visit whose phone they
// verify there, out of the advisor's hearing.
type SelfEntry struct {
	Visit Visit
	Store Store
	Brand string
	State ChallengeState
}

// drawToken gives the visit the address of its customer's page. It is drawn
// once for a phone in a visit, so that a QR that was scanned stays good.
func drawToken(v *Visit) {
	if v.SelfToken == "" {
		v.SelfToken = linkToken(22)
	}
}

// SelfURL is the whole address of the customer's page, as it stands in the QR;
// empty where the visit has none.
func (s *Service) SelfURL(v Visit) string {
	if v.SelfToken == "" {
		return ""
	}
	return s.SiteURL + "/c/" + v.SelfToken
}

// boundTo is the last line of an SMS with a code: it lets a phone offer the
// code on pages of our own host and nowhere else (WICG, "Origin-bound one-time
// codes delivered via SMS": "@host #code", without a port).
func (s *Service) boundTo(code string) string {
	u, err := url.Parse(s.SiteURL)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return "\n@" + u.Hostname() + " #" + code
}

// MayVerify tells whether the customer's page is open: while the visit is,
// and for CODE_LATER after one in which the code was put off.
func (s *Service) MayVerify(v Visit) bool {
	switch {
	case v.SelfToken == "" || v.ContactID == nil || !v.PersonalData || !v.Communications:
		return false
	case !v.Ended():
		return true
	}
	return v.CodeDeferred && s.now().Before(v.EndedAt.Add(s.Settings.CodeLater))
}

// tokenAlphabet is what tokens in customers' links may hold. Those of today hold
// letters and digits only: a messenger may end a link before any other sign.
const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// linkToken draws the random part of a customer's link, letters and digits with
// 5.95 bits each.
func linkToken(length int) string {
	const letters = len(tokenAlphabet) - 2
	token, b := make([]byte, 0, length), make([]byte, length)
	for len(token) < length {
		_, _ = rand.Read(b) // never fails on a supported system: it ends the program
		for _, c := range b {
			// Of 256 values the first 248 are four times 62.
			if int(c) < 4*letters && len(token) < length {
				token = append(token, tokenAlphabet[int(c)%letters])
			}
		}
	}
	return string(token)
}

// readToken takes off what stands behind a link in a text and was taken for a
// part of it: a full stop, a bracket, a quotation mark. What was never drawn is
// none.
func readToken(typed string) string {
	token := strings.TrimRightFunc(typed, func(r rune) bool { return !strings.ContainsRune(tokenAlphabet, r) })
	if strings.Trim(token, tokenAlphabet) != "" {
		return ""
	}
	return token
}

// selfVisit gives the visit of a customer's page. A page that does not exist,
// one whose visit is over and one whose time is over are one to whoever asks:
// the same answer after the same single read.
func (s *Service) selfVisit(ctx context.Context, token string) (Visit, error) {
	token = readToken(token)
	v, err := s.DB.VisitByToken(ctx, token)
	if err == nil && !s.MayVerify(v) {
		err = notFound()
	}
	if err != nil {
		return Visit{}, err
	}
	return v, nil
}

// SelfEntry gives the customer's page. Where Redis can't tell how the code
// stands, the rest is given along with the error, which is Unavailable.
func (s *Service) SelfEntry(ctx context.Context, token, address string) (SelfEntry, error) {
	v, err := s.selfVisit(ctx, token)
	if err != nil {
		return SelfEntry{}, err
	}
	store, err := s.DB.Store(ctx, v.StoreID)
	if err != nil {
		return SelfEntry{}, err
	}
	programme, err := s.DB.Programme(ctx, v.ProgrammeID)
	if err != nil {
		return SelfEntry{}, err
	}
	e := SelfEntry{Visit: v, Store: store, Brand: programme.Brand}
	if v.VerifiedAt == nil {
		e.Visit, e.State, err = s.CodeState(ctx, selfActor(v, address), v, EntrySelf)
	}
	return e, selfWords(err)
}

// SelfSend sends the customer a code at their own wish, or the same one again,
// within budgets of their own.
func (s *Service) SelfSend(ctx context.Context, token, requestID, address string) error {
	v, err := s.selfVisit(ctx, token)
	if err != nil || v.VerifiedAt != nil {
		return err
	}
	if err := s.mayAskLater(ctx, v); err != nil {
		return err
	}
	_, err = s.sendCode(ctx, s.codeTry(selfActor(v, address), v, EntrySelf), requestID)
	return selfWords(err)
}

// laterSends is how many SMS a customer's page may ask for once the visit is
// over. Whoever typed a stranger's number keeps the address of that page too.
const laterSends = 3

// mayAskLater bounds the SMS of a page whose visit has ended.
func (s *Service) mayAskLater(ctx context.Context, v Visit) error {
	if !v.Ended() {
		return nil
	}
	attempts, err := s.DB.CodeAttempts(ctx, v.ID)
	if err != nil {
		return err
	}
	sent := 0
	for _, at := range attempts {
		if at.Kind == AttemptSend && at.At.After(*v.EndedAt) && (at.Verdict == string(OpenSend) || at.Verdict == "unclear") {
			sent++
		}
	}
	if sent >= laterSends {
		return &Error{Kind: Conflict, Message: Say("self.enough")}
	}
	return nil
}

// SelfCheck judges the code that the customer typed. Wrong ones count for the
// phone as anywhere, and for advisor and store among those of such pages: they
// may be in the advisor's own hand.
func (s *Service) SelfCheck(ctx context.Context, token, requestID, typed, address string) error {
	v, err := s.selfVisit(ctx, token)
	if err != nil || v.VerifiedAt != nil {
		return err
	}
	_, err = s.checkCode(ctx, s.codeTry(selfActor(v, address), v, EntrySelf), requestID, typed)
	return selfWords(err)
}

// selfActor stands for the customer: the visit's advisor and store, the
// customer's own address, and no right to anything else.
func selfActor(v Visit, address string) Actor {
	return Actor{Staff: Staff{ID: v.AdvisorID}, StoreID: v.StoreID, Address: address}
}

// selfWords says to a customer what is meant for an advisor otherwise.
func selfWords(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	switch key := e.Message.Key; {
	case strings.HasPrefix(key, "limit."):
		told.Message = Say("self.limited", "Count", hours(e.RetryAfter))
	case key == "code.phone_changed", key == "code.no_consent":
		// The page was the other phone's and is gone with it.
		return notFound()
	case key == "code.no_gateway", key == "code.gateway_failed":
		told.Message = Say("self.not_sent")
	}
	return &told
}

// changeSelf is change for the customer's page: a visit that is open to it,
// even if it has ended. When it was last touched is then told no more.
func (s *Service) changeSelf(ctx context.Context, _ Actor, id int64, f func(ctx context.Context, tx Tx, v *Visit) error) (Visit, error) {
	var out Visit
	err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		v, err := tx.LockVisit(ctx, id)
		if err != nil {
			return err
		}
		if !s.MayVerify(v) {
			return notFound()
		}
		if !v.Ended() {
			v.TouchedAt = s.now()
		}
		if err := f(ctx, tx, &v); err != nil {
			return err
		}
		out = v
		return tx.SaveVisit(ctx, v)
	})
	return out, err
}
