package domain

// HashingAtATime is how many passwords are hashed at a time.
func HashingAtATime() int64 { return int64(cap(hashing)) }

// WithCheckDigit makes a well-formed promo code of nine digits.
func WithCheckDigit(nine string) string { return nine + string(damm(nine)) }

// NewPromoDigits draws a code for tests.
var NewPromoDigits = newPromoDigits
