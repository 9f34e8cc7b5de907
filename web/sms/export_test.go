package sms

// What the tests of this package see beside what everybody does.
var (
	Post      = post
	Call      = call
	NewClient = newClient
	Guard     = guard
	BadStatus = badStatus
)

// BreakAfter is how many failures in a row set a gateway aside.
const BreakAfter = breakAfter
