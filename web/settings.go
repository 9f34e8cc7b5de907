package main

import "prilavok/domain"

// settings are the rules of the domain as the operator set them.
func (c Config) settings() domain.Settings {
	return domain.Settings{
		AgeThreshold: c.AgeThreshold, PhoneRegions: c.PhoneRegions,
		CodeLength: c.CodeLength, CodeLifetime: c.CodeLifetime, CodeTries: c.CodeTries,
		CodeTriesPerDay: c.CodeTriesPerDay, CodeResendAfter: c.CodeResendAfter,
		PromoHold: c.PromoHold, PromoNeedsVerifiedPhone: c.PromoNeedsVerifiedPhone,
		MessageAt: int(c.MessageAt), MessageFrom: int(c.MessageFrom), MessageUntil: int(c.MessageUntil),
		VisitAbandonedAfter: c.VisitAbandonedAfter,
		SignInAttempts:      c.SignInAttempts, SignInAttemptsPerAddress: c.SignInAttemptsPerAddress,
	}
}
