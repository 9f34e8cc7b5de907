package domain

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// Throttle limits attempts by key.
type Throttle interface {
	// Allow counts one attempt and tells whether it is within limit per
	// window; otherwise how long to wait.
	Allow(ctx context.Context, key string, limit int, window time.Duration) (ok bool, wait time.Duration, err error)
	// Peek tells the same without counting.
	Peek(ctx context.Context, key string, limit int, window time.Duration) (ok bool, wait time.Duration, err error)
	// Reset forgets the attempts of a key.
	Reset(ctx context.Context, key string) error
}

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

// turns bounds how much is done at a time.
type turns chan struct{}

// hashing bounds the passwords that are hashed at a time: each takes 64 MiB
// and a core, and nobody has signed in yet.
var hashing = make(turns, runtime.GOMAXPROCS(0))

func (t turns) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &Error{Kind: Unavailable, Message: Say("error.unavailable"), Err: ctx.Err()}
	}
}

func (t turns) leave() { <-t }

// SignIn gives the member of staff for a login and password. An unknown
// login, an inactive one and a wrong password are the same answer. Attempts
// are counted per login before the password is looked at; a success clears
// the login's count, which only somebody who knows the password can do.
// Failures are counted per address and never cleared.
func (s *Service) SignIn(ctx context.Context, login, password, address string) (Staff, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	faults := map[string]Text{}
	if login == "" {
		faults["login"] = Say("sign_in.login_empty")
	}
	if password == "" {
		faults["password"] = Say("sign_in.password_empty")
	}
	if len(faults) > 0 {
		return Staff{}, &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: faults}
	}
	// Keys are hashed: a login field may hold anything, a phone or a password
	// typed into the wrong box too.
	loginKey, addressKey := "login:"+s.PhoneKey(login), "address:"+s.PhoneKey(address)
	ok, wait, err := s.Throttle.Peek(ctx, addressKey, s.Settings.SignInAttemptsPerAddress, signInWindow)
	if err != nil {
		return Staff{}, err
	}
	if ok {
		if ok, wait, err = s.Throttle.Allow(ctx, loginKey, s.Settings.SignInAttempts, signInWindow); err != nil {
			return Staff{}, err
		}
	}
	if !ok {
		return Staff{}, throttled(wait)
	}
	staff, err := s.DB.StaffByLogin(ctx, login)
	if err != nil && !IsNotFound(err) {
		return Staff{}, err
	}
	known := err == nil && staff.Active
	hash := staff.PasswordHash
	if !known {
		if hash, err = nobody(); err != nil {
			return Staff{}, err
		}
	}
	if err := hashing.enter(ctx); err != nil {
		return Staff{}, err
	}
	defer hashing.leave()
	// Whoever waited for their turn may find the address spent meanwhile: in
	// parallel no more pass than there are turns.
	if ok, wait, err = s.Throttle.Peek(ctx, addressKey, s.Settings.SignInAttemptsPerAddress, signInWindow); err != nil || !ok {
		return Staff{}, errors.Join(err, throttled(wait))
	}
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return Staff{}, err
	}
	if !match || !known {
		if _, _, err := s.Throttle.Allow(ctx, addressKey, s.Settings.SignInAttemptsPerAddress, signInWindow); err != nil {
			return Staff{}, err
		}
		return Staff{}, &Error{Kind: Invalid, Message: Say("sign_in.wrong")}
	}
	return staff, s.Throttle.Reset(ctx, loginKey)
}
