package domain

import (
	"context"
	"time"
)

// Database is where everything lasting is kept. Outside of a transaction one
// can only read; every write goes through a Tx, so a row and the job that
// follows from it commit together or not at all.
type Database interface {
	Queries
	// InTx runs f in one transaction: committed when f returns nil, rolled
	// back on an error or a panic. A serialisation failure or deadlock runs f
	// again, so f must have no effect outside of the transaction: no SMS, no
	// HTTP, no Redis. Calling InTx inside f is refused with an error.
	InTx(ctx context.Context, f func(ctx context.Context, tx Tx) error) error
}

// Queries are the reads. A row that does not exist is an *Error of kind
// NotFound.
type Queries interface {
	// StaffByLogin finds by the login as it is stored: lower case.
	StaffByLogin(ctx context.Context, login string) (Staff, error)
	// StaffByID gives one member of staff with their stores.
	StaffByID(ctx context.Context, id int64) (Staff, error)
	// StaffCount counts every member of staff; 0 means an empty database.
	StaffCount(ctx context.Context) (int, error)
	// Advisors lists those who are assigned to any of the stores (all stores
	// when all is set), by name.
	Advisors(ctx context.Context, storeIDs []int64, all bool) ([]Staff, error)

	// Store gives one store.
	Store(ctx context.Context, id int64) (Store, error)
	// Stores lists every store by name.
	Stores(ctx context.Context) ([]Store, error)

	// Programme gives one programme.
	Programme(ctx context.Context, id int64) (Programme, error)
	// Products lists the active price list by position.
	Products(ctx context.Context, programmeID int64) ([]Product, error)
	// Product gives one product, active or not.
	Product(ctx context.Context, id int64) (Product, error)
	// Questions lists the active questionnaire by position.
	Questions(ctx context.Context, programmeID int64) ([]Question, error)

	// CurrentConsentDocuments gives the newest version of each kind in a
	// language, personal data first.
	CurrentConsentDocuments(ctx context.Context, programmeID int64, language string) ([]ConsentDocument, error)
	// VisitConsents lists every consent row of a visit, oldest first, with
	// its document.
	VisitConsents(ctx context.Context, visitID int64) ([]Consent, error)
	// ContactConsents gives the newest answer of a contact to each document
	// kind; a kind that was never asked is absent. What was said in a visit
	// counts only once the phone has answered there.
	ContactConsents(ctx context.Context, contactID int64) (map[ConsentKind]bool, error)

	// StandingRefusals gives the ids of the visit's last answers that count for
	// its contact, whatever became of the verification since, and are a no.
	StandingRefusals(ctx context.Context, visitID int64) ([]int64, error)
	// RecentWithdrawals lists what was withdrawn by a member of staff, or by
	// anybody where the id is 0, the newest first.
	RecentWithdrawals(ctx context.Context, staffID int64, limit int) ([]WithdrawalRecord, error)
	// NewestConsent gives a contact's last answer to a kind of document: a yes
	// also where the phone has not answered, a no where it counts; NotFound where
	// there is none.
	NewestConsent(ctx context.Context, contactID int64, kind ConsentKind) (Consent, error)

	// Contact gives one contact.
	Contact(ctx context.Context, id int64) (Contact, error)
	// ContactByToken gives the contact of a customer's own page; NotFound for an
	// empty token, which is no page's.
	ContactByToken(ctx context.Context, token string) (Contact, error)
	// CustomerBrand is the brand of the programme that wrote to a contact last.
	CustomerBrand(ctx context.Context, contactID int64) (string, error)
	// CustomerCodes lists the codes of a contact in every programme, referral
	// codes first, newest first; gifts are left out.
	CustomerCodes(ctx context.Context, contactID int64) ([]CustomerCode, error)
	// CustomerConsents lists every answer of a contact, oldest first.
	CustomerConsents(ctx context.Context, contactID int64) ([]CustomerConsent, error)
	// CustomerVisits lists the visits of a contact with their answers, newest
	// first.
	CustomerVisits(ctx context.Context, contactID int64) ([]CustomerVisit, error)
	// CustomerMessages lists every message to a contact, oldest first.
	CustomerMessages(ctx context.Context, contactID int64) ([]Message, error)
	// CustomerSMS lists what a contact has sent to us, oldest first; before they
	// were one, too.
	CustomerSMS(ctx context.Context, contactID int64) ([]CustomerSMS, error)
	// ContactEvents lists what a contact asked for by themselves, oldest first.
	ContactEvents(ctx context.Context, contactID int64) ([]ContactEvent, error)
	// ContactVisits lists the visits of a contact, by id.
	ContactVisits(ctx context.Context, contactID int64) ([]int64, error)
	// ContactCodes lists the codes that a contact owns in every programme,
	// newest first, void ones too.
	ContactCodes(ctx context.Context, ownerID int64) ([]PromoCode, error)
	// ContactByPhone finds the contact of a phone.
	ContactByPhone(ctx context.Context, phone string) (int64, error)
	// LastVisit gives a contact's newest visit.
	LastVisit(ctx context.Context, contactID int64) (Visit, error)
	// Answers lists what was answered in a visit.
	Answers(ctx context.Context, visitID int64) ([]Answer, error)
	// CodeAttempts lists the sends and checks of a visit, oldest first.
	CodeAttempts(ctx context.Context, visitID int64) ([]CodeAttempt, error)
	// AskedAttempts lists those of a visit that have no verdict, the oldest
	// first, at most limit.
	AskedAttempts(ctx context.Context, visitID int64, limit int) ([]CodeAttempt, error)
	// OrphanedAttempts lists those of all visits that have had no verdict since
	// before a moment.
	OrphanedAttempts(ctx context.Context, before time.Time, limit int) ([]CodeAttempt, error)
	// OrphanedRefusals lists the look-ups of promo codes that have had no end
	// since before a moment.
	OrphanedRefusals(ctx context.Context, before time.Time, limit int) ([]PromoRefusal, error)
	// CountedAttempts lists what limits have counted: the wrong checks since
	// one moment and the SMS since another, oldest first; what is asked is among
	// them.
	CountedAttempts(ctx context.Context, wrongSince, sentSince time.Time) ([]CodeAttempt, error)
	// CountedRefusals lists the promo codes that did not exist since a moment,
	// and those that are being looked up.
	CountedRefusals(ctx context.Context, since time.Time) ([]PromoRefusal, error)
	// LimitLifts lists what supervisors have lifted since a moment.
	LimitLifts(ctx context.Context, since time.Time) ([]LimitLift, error)
	// RecentLifts lists the newest lifts of limits that were met in the stores
	// (in all when all is set).
	RecentLifts(ctx context.Context, storeIDs []int64, all bool, limit int) ([]LiftRecord, error)
	// MetLimits lists the attempts of the stores (of all when all is set) at
	// which a limit was met since a moment, the newest of each limit, Until
	// left out.
	MetLimits(ctx context.Context, storeIDs []int64, all bool, since time.Time, limit int) ([]MetLimit, error)
	// MetLimit gives one of them; NotFound where that attempt met no limit.
	MetLimit(ctx context.Context, attemptID int64) (MetLimit, error)

	// Visit gives one visit with its contact's phone.
	Visit(ctx context.Context, id int64) (Visit, error)
	// VisitByToken gives the visit of a customer's own page; NotFound for an
	// empty token, which is no page's.
	VisitByToken(ctx context.Context, token string) (Visit, error)
	// OpenVisits lists what an advisor has open in a store, newest first.
	OpenVisits(ctx context.Context, advisorID, storeID int64) ([]Visit, error)
	// Visits lists by filter, newest first; see VisitFilter.
	Visits(ctx context.Context, f VisitFilter) ([]VisitRow, error)
	// Bought tells whether a contact has bought, with a verified phone, in a
	// visit of the programme other than the given one. A purchase that was
	// voided does not count.
	Bought(ctx context.Context, programmeID, contactID, exceptVisitID int64) (bool, error)
	// StandingPurchase gives the newest visit that Bought asks for. NotFound
	// where there is none.
	StandingPurchase(ctx context.Context, programmeID, contactID, exceptVisitID int64) (Visit, error)
	// IsDemo tells whether the database holds what MakeDemo made.
	IsDemo(ctx context.Context) (bool, error)
	// VisitEvents lists the history of a visit, oldest first.
	VisitEvents(ctx context.Context, visitID int64) ([]VisitEvent, error)
	// StaleVisits gives up to limit ids of open visits last touched before t.
	StaleVisits(ctx context.Context, t time.Time, limit int) ([]int64, error)

	// PromoCode finds a code by its ten digits.
	PromoCode(ctx context.Context, code string) (PromoCode, error)
	// PromoCodeByID gives one code.
	PromoCodeByID(ctx context.Context, id int64) (PromoCode, error)
	// LiveCode finds the code of a kind that the owner has, to share or to
	// use: not void, not expired at t, not every use spent (held is not spent).
	// NotFound where there is none.
	LiveCode(ctx context.Context, programmeID, ownerID int64, kind PromoKind, t time.Time) (PromoCode, error)
	// LiveRedemption gives the held or confirmed redemption of a visit.
	LiveRedemption(ctx context.Context, visitID int64) (Redemption, error)
	// PhoneRedeemed tells whether a phone has a held or confirmed redemption
	// in a programme in a visit other than the given one.
	PhoneRedeemed(ctx context.Context, programmeID int64, phone string, exceptVisitID int64) (bool, error)
	// OwnedCodes lists a contact's codes of a kind in a programme that are not
	// void, by id.
	OwnedCodes(ctx context.Context, programmeID, ownerID int64, kind PromoKind) ([]PromoCode, error)
	// Referred tells whether a contact came into the programme through
	// another's referral code, directly or through others in between. Held uses
	// count as confirmed ones do, even when their time is over: they may still
	// be confirmed.
	Referred(ctx context.Context, programmeID, contactID, byContactID int64) (bool, error)
	// ConfirmedUses counts the confirmed uses of a code.
	ConfirmedUses(ctx context.Context, promoCodeID int64) (int, error)
	// HeldUses counts the uses of a code that are held and not yet confirmed.
	HeldUses(ctx context.Context, promoCodeID int64) (int, error)
	// Redemptions lists every use that a visit held, oldest first.
	Redemptions(ctx context.Context, visitID int64) ([]Redemption, error)
	// PromoRefusals lists the refused attempts of a visit, oldest first.
	PromoRefusals(ctx context.Context, visitID int64) ([]PromoRefusal, error)
	// ExpiredHolds gives up to limit ids of redemptions still held at t
	// although their hold has run out.
	ExpiredHolds(ctx context.Context, t time.Time, limit int) ([]int64, error)

	// Recount counts everything derived anew and gives what differs; see
	// Service.Recount.
	Recount(ctx context.Context) ([]Difference, error)

	// Gift gives one gift.
	Gift(ctx context.Context, id int64) (Gift, error)
	// GiftOfCode gives the gift that a code has earned, whatever became of it.
	GiftOfCode(ctx context.Context, promoCodeID int64) (Gift, error)
	// VisitGifts lists the gifts of a contact in a programme that are still to
	// be collected, and those that were collected in the visit, by id.
	VisitGifts(ctx context.Context, programmeID, ownerID, visitID int64) ([]Gift, error)

	// Message gives one message with its phone.
	Message(ctx context.Context, id int64) (Message, error)
	// VisitMessages lists what a visit caused, oldest first.
	VisitMessages(ctx context.Context, visitID int64) ([]Message, error)
	// Told tells whether a message of a kind about a code was sent, or is going
	// to be; one whose fate nobody knows counts as sent.
	Told(ctx context.Context, promoCodeID int64, kind MessageKind) (bool, error)
	// NewestCodeMessage gives the last SMS with a code to a contact in a visit.
	NewestCodeMessage(ctx context.Context, visitID, contactID int64) (Message, error)
	// MessageDue tells whether a message may leave now.
	MessageDue(ctx context.Context, id int64) (MessageDue, error)
	// MessageFacts gives a message with everything that allows it.
	MessageFacts(ctx context.Context, id int64) (MessageFacts, error)
	// MessageByGatewayID finds a message by the gateway's own name for it.
	MessageByGatewayID(ctx context.Context, gateway, gatewayID string) (int64, error)
	// NewestTemplate gives the version of a text that counts now; NotFound where
	// no administrator has written one.
	NewestTemplate(ctx context.Context, programmeID int64, kind MessageKind, language string) (MessageTemplate, error)
	// NewestTemplates lists the versions that count now, of every programme.
	NewestTemplates(ctx context.Context) ([]MessageTemplate, error)
	// TemplateVersions lists every version of a text, newest first.
	TemplateVersions(ctx context.Context, programmeID int64, kind MessageKind, language string) ([]MessageTemplate, error)
	// DeliveryReports lists what a gateway told of a message, as it came.
	DeliveryReports(ctx context.Context, messageID int64) ([]DeliveryRow, error)
	// GatewayTallies counts what gateways were given since a moment, by
	// gateway and state; what nobody knows the gateway of has none.
	GatewayTallies(ctx context.Context, since time.Time) ([]GatewayTally, error)
	// NewestAnswer gives the newest message of a kind on the service channel to
	// a contact.
	NewestAnswer(ctx context.Context, contactID int64, kind MessageKind) (Message, error)
	// MessageRows lists messages by filter, newest first; see MessageFilter.
	MessageRows(ctx context.Context, f MessageFilter) ([]MessageRow, error)
	// MessageRow gives one message as MessageRows does.
	MessageRow(ctx context.Context, id int64) (MessageRow, error)
	// IncomingKnown tells whether a customer's SMS is on record.
	IncomingKnown(ctx context.Context, gateway, gatewayID string) (bool, error)
	// Incoming gives one customer's SMS.
	Incoming(ctx context.Context, id int64) (IncomingMessage, error)
	// IncomingRows lists customers' SMS by filter, newest first; see
	// IncomingFilter.
	IncomingRows(ctx context.Context, f IncomingFilter) ([]IncomingRow, error)
	// RecentMessages lists the newest messages of contacts but the codes, for
	// the demo handset. A trial sending has no phone that it could stand under.
	RecentMessages(ctx context.Context, limit int) ([]Message, error)

	// Programmes lists every programme by name.
	Programmes(ctx context.Context) ([]Programme, error)
	// PromoRows lists codes by filter, newest first; see PromoFilter.
	PromoRows(ctx context.Context, f PromoFilter) ([]PromoRow, error)
	// PromoUses lists every use of a code, oldest first.
	PromoUses(ctx context.Context, promoCodeID int64) ([]PromoUse, error)
	// PromoAttempts lists the refused attempts to use a code, oldest first.
	PromoAttempts(ctx context.Context, promoCodeID int64) ([]PromoAttempt, error)
	// PromoEvents lists the history of a code, oldest first.
	PromoEvents(ctx context.Context, promoCodeID int64) ([]PromoEventRow, error)
	// TakenPromoCodes tells which of the codes exist, in any programme.
	TakenPromoCodes(ctx context.Context, codes []string) ([]string, error)
	// PromoBatch gives one batch.
	PromoBatch(ctx context.Context, id int64) (PromoBatch, error)
	// PromoBatchByRequest finds the batch that a request has made.
	PromoBatchByRequest(ctx context.Context, requestID string) (PromoBatch, error)
	// PromoBatchChoices lists the newest batches of the programmes, without
	// counting anything.
	PromoBatchChoices(ctx context.Context, programmeIDs []int64, all bool, limit int) ([]PromoBatch, error)
	// PromoBatches lists up to limit batches of the programmes (of every one
	// when all is set) with ids below before (0: from the newest on), newest
	// first.
	PromoBatches(ctx context.Context, programmeIDs []int64, all bool, before int64, limit int) ([]PromoBatchRow, error)
}

// Tx is a transaction: every read of Queries, seeing its own writes, and
// every write. It must not be used after the function that got it returned.
type Tx interface {
	Queries

	// KeepSecret stores a value under a name unless one is kept there, and
	// gives what is kept.
	KeepSecret(ctx context.Context, name, value string) (string, error)

	// AddStore inserts a store.
	AddStore(ctx context.Context, s Store) (int64, error)
	// SetSelfEntry writes whether only the customer may type the code in a store.
	SetSelfEntry(ctx context.Context, storeID int64, on bool) error
	// AddStaff adds a member of staff and assigns the given Stores (by ID).
	AddStaff(ctx context.Context, s Staff) (int64, error)
	// AddProgramme inserts a programme.
	AddProgramme(ctx context.Context, p Programme) (int64, error)
	// AddProduct inserts a line of the price list.
	AddProduct(ctx context.Context, p Product) (int64, error)
	// AddQuestion inserts a question.
	AddQuestion(ctx context.Context, q Question) (int64, error)
	// AddConsentDocument inserts one version of a text; a version is never changed.
	AddConsentDocument(ctx context.Context, d ConsentDocument) (int64, error)

	// AddVisit inserts a visit; where its request id exists already it gives
	// that visit's id and created=false.
	AddVisit(ctx context.Context, v Visit) (id int64, created bool, err error)
	// LockVisit reads a visit and keeps every other writer away from it until
	// the transaction ends.
	LockVisit(ctx context.Context, id int64) (Visit, error)
	// SaveVisit writes the changeable columns of a locked visit.
	SaveVisit(ctx context.Context, v Visit) error
	// AddVisitEvent adds a line to a visit's history.
	AddVisitEvent(ctx context.Context, e VisitEvent) error

	// AddConsent inserts the proof of one answer.
	AddConsent(ctx context.Context, c Consent) (int64, error)
	// AddWithdrawal records that staff took a consent back for a customer; first
	// tells that this form has not done it before.
	AddWithdrawal(ctx context.Context, w Withdrawal) (first bool, err error)
	// AddContactEvent records what a customer asked for.
	AddContactEvent(ctx context.Context, e ContactEvent) error
	// LinkWithdrawal points refusals at a contact that their visit has let go
	// of: the proof that this person said no.
	LinkWithdrawal(ctx context.Context, contactID int64, consentIDs []int64) error
	// EndVerification takes the proof of the phone out of the visit, whose
	// contact stays; the visit itself is written by SaveVisit.
	EndVerification(ctx context.Context, visitID int64) error
	// LinkConsents points those of the visit's consent rows at a contact that
	// are nobody's.
	LinkConsents(ctx context.Context, visitID, contactID int64) error
	// UnlinkContact takes contact and phone out of the visit's consents,
	// verifications, refusals, code messages, and of its redemptions that are neither held
	// nor confirmed; the visit itself is written by SaveVisit.
	UnlinkContact(ctx context.Context, visitID int64) error
	// ConfirmConsents notes on the given consents of a visit that an SMS code
	// confirmed them.
	ConfirmConsents(ctx context.Context, visitID int64, challengeID string) error

	// ContactForPhone finds or makes the one contact of a phone; safe when
	// two advisors register the same phone at the same moment.
	ContactForPhone(ctx context.Context, c Contact) (id int64, created bool, err error)
	// LockContact reads a contact and keeps every other writer of it, and of
	// its consents, away until the transaction ends.
	LockContact(ctx context.Context, id int64) (Contact, error)
	// LockContacts does to several contacts what LockContact does to one, by
	// ascending id; 0 is nobody. For a change that touches more people than the
	// customer: they are locked before any promo code.
	LockContacts(ctx context.Context, ids ...int64) error
	// SaveContact writes name, language and verified time.
	SaveContact(ctx context.Context, c Contact) error
	// DropContactIfUnused deletes a contact that no visit, consent, code,
	// redemption, verification, message or wish of their own refers to, and
	// tells whether it did. What they wrote by SMS stays, without who wrote it.
	DropContactIfUnused(ctx context.Context, id int64) (bool, error)
	// EraseContact takes phone, name, answers and texts of a locked contact out
	// of everything, with what staff wrote in their own words about them, and
	// puts the made-up phone in the place of the real one. phoneKey is the keyed
	// hash that the real one has in records of code attempts.
	EraseContact(ctx context.Context, c Contact, phoneKey, phone string, at time.Time) error
	// SetAnswers replaces a visit's answers.
	SetAnswers(ctx context.Context, visitID int64, answers []Answer) error

	// AskAttempt records a send or a check that Redis is to judge, and gives it
	// with its id; where one with its request key is on record, that one, which
	// one more is at work on from then on.
	AskAttempt(ctx context.Context, a CodeAttempt) (CodeAttempt, error)
	// FinishAttempt writes what has become of an attempt, and tells whether it
	// did: not over another verdict, and one that counts nothing only by the last
	// who is at work on it. Where the same form once more is to be
	// judged anew, it lets go of the request key.
	FinishAttempt(ctx context.Context, a CodeAttempt) (bool, error)
	// DropAttempt deletes an attempt that is not worth a record, where
	// FinishAttempt would write that it counts nothing.
	DropAttempt(ctx context.Context, id int64) (bool, error)
	// SettleAttempt writes a verdict unless there is one by now.
	SettleAttempt(ctx context.Context, a CodeAttempt) error
	// ClaimSend is FinishAttempt for an SMS that is about to leave; false where
	// somebody else has claimed it.
	ClaimSend(ctx context.Context, a CodeAttempt) (bool, error)
	// EndSend writes how the SMS that was claimed ended.
	EndSend(ctx context.Context, a CodeAttempt) error
	// AddLimitLift records a lift; where its request id is known it gives the
	// lift that was recorded before.
	AddLimitLift(ctx context.Context, l LimitLift) (LimitLift, error)
	// ForgetPhoneKeys empties the keyed phone and address of up to limit
	// attempts from before a moment, and those of all refusals and lifts too.
	ForgetPhoneKeys(ctx context.Context, before time.Time, limit int) (int, error)
	// AddVerification records a verified phone; false when this challenge or
	// this visit and phone is recorded already.
	AddVerification(ctx context.Context, v Verification) (bool, error)

	// AddPromoCode inserts a code; false when its digits are taken already.
	AddPromoCode(ctx context.Context, p PromoCode) (id int64, ok bool, err error)
	// LockPromoCodes keeps others from using the codes until the transaction
	// ends; for a change that touches several.
	LockPromoCodes(ctx context.Context, ids ...int64) error
	// LockReferrals keeps others from holding a referral code for this friend,
	// and from giving the friend a code, until the transaction ends; where the
	// friend owns a referral code it keeps every other such friend waiting too.
	// So no two holds that close a ring only together are taken side by side.
	// It comes after contacts and before promo codes are locked.
	LockReferrals(ctx context.Context, programmeID, friendID int64) error
	// SetPromoState freezes, thaws or voids a code.
	SetPromoState(ctx context.Context, id int64, state PromoState) error
	// Hold takes one use of a code for a visit and phone, in one conditional
	// update: only an active code with a use left, that the phone may use
	// (not the owner's for a referral code, only the owner's for a trial
	// code), in its lifetime. ok=false: nothing was changed, find out why
	// afterwards. A hold that has run out on the same code is expired first.
	Hold(ctx context.Context, r Redemption) (id int64, ok bool, err error)
	// Confirm turns a held redemption into a confirmed one; false when it is
	// not held any more.
	Confirm(ctx context.Context, redemptionID int64, at time.Time) (bool, error)
	// Release gives a held use back with the final state RedemptionReleased
	// or RedemptionExpired; false when it was not held. The code row is
	// locked before the redemption row.
	Release(ctx context.Context, redemptionID int64, state RedemptionState, at time.Time) (bool, error)
	// VoidRedemption takes a confirmed use back; false when it was not
	// confirmed. The code gets the use back unless it is kept. The code row is
	// locked before the redemption row.
	VoidRedemption(ctx context.Context, redemptionID int64, useKept bool, at time.Time) (bool, error)
	// EarnGift makes the gift of a code, or takes up the revoked one, where at
	// least friends of its uses are confirmed; false where they are fewer, the
	// code is void or the gift is there already. The code row is locked.
	EarnGift(ctx context.Context, g Gift, friends int) (bool, error)
	// RevokeGift takes back the earned gift of a code whose confirmed uses are
	// fewer than friends; false where they are enough, or there is none to take
	// back. The code row is locked.
	RevokeGift(ctx context.Context, promoCodeID int64, friends int, at time.Time) (bool, error)
	// CollectGift hands a gift to its owner in a visit; false when it is not
	// theirs to collect any more.
	CollectGift(ctx context.Context, id, visitID int64, at time.Time) (bool, error)
	// AddPromoRefusal records a refused attempt, or one that is being looked up.
	AddPromoRefusal(ctx context.Context, r PromoRefusal) (int64, error)
	// FinishPromoRefusal writes reason and code of one that was looked up.
	FinishPromoRefusal(ctx context.Context, r PromoRefusal) error
	// DropPromoRefusal deletes one that was being looked up, and is none.
	DropPromoRefusal(ctx context.Context, id int64) error

	// AddMessage inserts a message.
	AddMessage(ctx context.Context, m Message) (int64, error)
	// ClaimMessage moves a scheduled message on, with its text and size: to
	// sending, or to its end where it may not be sent. It is false when the
	// message is not scheduled any more (sent, cancelled, or claimed by
	// somebody else).
	ClaimMessage(ctx context.Context, m Message) (bool, error)
	// RecordSending writes how a claimed message was handed over. Where its
	// report came first, the report's state stays.
	RecordSending(ctx context.Context, m Message) error
	// AddTemplate inserts a version of a text; false where that version exists.
	// A version is never changed.
	AddTemplate(ctx context.Context, t MessageTemplate) (bool, error)
	// LockMessage reads a message and keeps every other writer away from it
	// until the transaction ends.
	LockMessage(ctx context.Context, id int64) (Message, error)
	// SaveDelivery writes state, gateway and times of a locked message.
	SaveDelivery(ctx context.Context, m Message) error
	// AddDeliveryReport records what a gateway told; false when it has told
	// the same before.
	AddDeliveryReport(ctx context.Context, r DeliveryRow) (bool, error)
	// AddIncoming records a customer's SMS; false when this one is on record.
	AddIncoming(ctx context.Context, m IncomingMessage) (bool, error)
	// SeeIncoming notes who has read a customer's SMS first; false when
	// somebody has before.
	SeeIncoming(ctx context.Context, id, staffID int64, at time.Time) (bool, error)
	// StopIncoming notes that a customer's SMS was understood as a stop after
	// all.
	StopIncoming(ctx context.Context, id int64) error
	// SweepMessages says "unknown" of messages that have been in a state since
	// before a moment.
	SweepMessages(ctx context.Context, state MessageState, before time.Time, reason string, at time.Time) error
	// DrawPageToken gives a contact the address of their own page, unless they
	// have one or were erased.
	DrawPageToken(ctx context.Context, contactID int64, token string) error
	// CancelContactMessages cancels a contact's scheduled programme messages
	// and returns them as they were. One that is on its way keeps the reason in
	// mind, by this and the following, and does not come back.
	CancelContactMessages(ctx context.Context, contactID int64, reason string, at time.Time) ([]Message, error)
	// CancelMessages cancels a contact's scheduled messages of a kind in a
	// programme and returns them as they were.
	CancelMessages(ctx context.Context, programmeID, contactID int64, kind MessageKind, reason string, at time.Time) ([]Message, error)

	// CancelVisitMessages cancels the scheduled messages to a contact that a
	// visit caused, and returns them as they were.
	CancelVisitMessages(ctx context.Context, visitID, contactID int64, reason string, at time.Time) ([]Message, error)
	// CancelCodeMessages cancels the scheduled messages of a kind about a code.
	CancelCodeMessages(ctx context.Context, promoCodeID int64, kind MessageKind, reason string, at time.Time) error

	// ExtendPromo writes until when a code is good; nil: no end.
	ExtendPromo(ctx context.Context, id int64, until *time.Time) error
	// AddPromoEvent adds a line to a code's history.
	AddPromoEvent(ctx context.Context, e PromoEvent) error
	// AddPromoBatch inserts a batch; where its request id exists already it
	// gives that batch's id and created=false.
	AddPromoBatch(ctx context.Context, b PromoBatch) (id int64, created bool, err error)
	// AddPromoCodes inserts many codes, hundreds in a statement, and gives the
	// digits of those that were not taken already.
	AddPromoCodes(ctx context.Context, codes []PromoCode) (added []string, err error)

	// Enqueue adds a job that runs not before at; it exists when the
	// transaction commits.
	Enqueue(ctx context.Context, job Job, at time.Time) error
}

// Job is work for later.
type Job interface {
	// Kind is the job's stable name in the queue.
	Kind() string
}
