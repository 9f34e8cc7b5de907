package domain

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// Throttle limits attempts by key.
type Throttle interface {
	// Allow counts one attempt and tells whether it is within limit per
	// window; otherwise how long to wait.
	Allow(ctx context.Context, key string, limit int, window time.Duration) (ok bool, wait time.Duration, err error)
}

// SignIns counts tries to sign in. Each decision is one atomic step; a failure
// is of kind Unavailable, and nothing is allowed then.
type SignIns interface {
	// Enter counts a try before its password is looked at, and gives its lane;
	// without one the password must not be looked at.
	Enter(ctx context.Context, t SignInTry) (SignInEntry, error)
	// TakeBack makes a try whose password was not looked at count no more for
	// its login. For its address it does: that has asked all the same.
	TakeBack(ctx context.Context, t SignInTry, lane SignInLane) error
	// Succeed makes a try with the right password count no more, and remembers
	// the address it came from. Where it was another password than the last one,
	// what is remembered from before is forgotten.
	Succeed(ctx context.Context, t SignInTry, lane SignInLane, password string) error
}

// SignInTry is one try as it is counted. All texts are keyed hashes.
type SignInTry struct {
	Login, Address       string
	Device               string // which password the login has come in with from this device; empty: never
	PerLogin, PerAddress int    // tries within the window; of a login in each lane
	Window               time.Duration
	Now                  time.Time
}

// SignInEntry is what Enter says.
type SignInEntry struct {
	Lane SignInLane
	Wait time.Duration // without a lane: until a try may get one
}

// SignInLane is what a try of a login counts in.
type SignInLane string

// The lanes of a login.
const (
	NoLane       SignInLane = ""
	LaneStranger SignInLane = "stranger" // from anywhere
	LaneAddress  SignInLane = "address"  // from an address from which its owner has come in before
	LaneDevice   SignInLane = "device"   // from a device from which its owner has come in before
)

const signInWindow = 15 * time.Minute

// HashPassword makes an Argon2id hash in PHC form with the library's
// parameters (64 MiB, one pass).
func HashPassword(password string) (string, error) {
	return argon2id.CreateHash(password, argon2id.DefaultParams)
}

// nobody is the hash that an unknown login is compared with, so that it takes
// as long as a wrong password does.
var nobody = sync.OnceValues(func() (string, error) { return HashPassword(RandomToken(16)) })

func throttled(wait time.Duration) error {
	return &Error{Kind: Limited, Message: Say("sign_in.throttled", "Count", minutes(wait)), RetryAfter: wait}
}

// hashing shares out the passwords that are hashed at a time, by address: each
// takes 64 MiB and a core, and nobody has signed in yet.
var hashing = newShares(runtime.GOMAXPROCS(0))

// SignInForm is what somebody signs in with.
type SignInForm struct {
	Login, Password string
	Address         string // of the client
	Device          string // what the device keeps; see SignedIn
}

// SignedIn is who has signed in.
type SignedIn struct {
	Staff  Staff
	Device string // what the device is to keep for DeviceKept
}

// SignIn gives the member of staff for a login and password. An unknown
// login, an inactive one and a wrong password are the same answer.
//
// Guesses of a password are bounded, and nobody can use them up for its owner.
// A try counts before its password is looked at, and the right one takes back
// itself alone: whoever guesses gains nothing by the owner's coming and going.
//   - A login has three lanes: for strangers, for addresses and for devices from
//     which its owner has come in before. Each takes SignInAttempts at once, and
//     as many again within 15 minutes. Over all addresses and devices of the
//     world that is at most 3·SignInAttempts·(1 + t/15 min) guesses in a time t.
//     Somebody without a foothold has a third of it, and so has a neighbour of
//     the owner behind the same router: an address is in one lane or in the
//     other, and goes over when the owner first comes in from it. Only who holds
//     a device of the owner's has its lane and that.
//   - An address has SignInAttemptsPerAddress over all logins, in the same way.
//     There a refused try counts like any other, so one that goes on hammering
//     stays shut; it cannot keep the strangers' lanes full by itself. A device
//     goes by its lane alone: it comes in though others behind its address hammer.
//
// Remembered addresses are in Redis, and gone with it; what a device keeps is
// not. The first sign-in with a changed password ends what was remembered of
// the one before, addresses and devices. A closed account comes in nowhere.
func (s *Service) SignIn(ctx context.Context, f SignInForm) (SignedIn, error) {
	login := foldLogin(f.Login)
	faults := map[string]Text{}
	if login == "" {
		faults["login"] = Say("sign_in.login_empty")
	}
	if f.Password == "" { // one of spaces is a password; none is ever folded
		faults["password"] = Say("sign_in.password_empty")
	}
	if len(faults) > 0 {
		return SignedIn{}, &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: faults}
	}
	// Keys are hashed: a login field may hold anything, a phone or a password
	// typed into the wrong box too.
	try := SignInTry{
		Login: s.key("login", login), Address: s.addressKey(f.Address), Device: s.enrolled(f.Device, login),
		PerLogin: s.Settings.SignInAttempts, PerAddress: s.Settings.SignInAttemptsPerAddress, Window: signInWindow, Now: s.now(),
	}
	entry, err := s.SignIns.Enter(ctx, try)
	if err != nil {
		return SignedIn{}, err
	}
	if entry.Lane == NoLane {
		return SignedIn{}, throttled(entry.Wait)
	}
	staff, right, err := s.comparePassword(ctx, login, f.Password, try.Address, entry.Lane)
	// A browser that hangs up leaves no try counted that was none.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		// That failed already; this could only fail as well.
		_ = s.SignIns.TakeBack(ctx, try, entry.Lane)
		return SignedIn{}, err
	}
	if !right {
		return SignedIn{}, &Error{Kind: Invalid, Message: Say("sign_in.wrong")}
	}
	password := s.passwordKey(staff.PasswordHash)
	if err := s.SignIns.Succeed(ctx, try, entry.Lane, password); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Staff: staff, Device: s.enrol(f.Device, login, password)}, nil
}

// comparePassword reads who has a login and compares the password when it is
// the address's turn. An error means that it was not compared. Those whose
// login is known to come from here go first: they are few, as their lanes are.
func (s *Service) comparePassword(ctx context.Context, login, password, address string, lane SignInLane) (staff Staff, right bool, err error) {
	staff, err = s.DB.StaffByLogin(ctx, login)
	if err != nil && !IsNotFound(err) {
		return Staff{}, false, err
	}
	known := err == nil && staff.Active
	hash := staff.PasswordHash
	if !known {
		if hash, err = nobody(); err != nil {
			return Staff{}, false, err
		}
	}
	if err := hashing.enter(ctx, address, lane != LaneStranger); err != nil {
		return Staff{}, false, err
	}
	defer hashing.leave(address)
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	return staff, match && known, err
}
