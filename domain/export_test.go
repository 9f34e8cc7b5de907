package domain

// HashingAtATime is how many passwords are hashed at a time.
func HashingAtATime() int64 { return int64(cap(hashing)) }

// NewPromoDigits draws a code for tests.
var NewPromoDigits = newPromoDigits
