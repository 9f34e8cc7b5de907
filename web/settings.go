package main

import "prilavok/domain"

// settings are the rules of the domain as the operator set them.
func (c Config) settings() domain.Settings {
	return domain.Settings{
		AgeThreshold: c.AgeThreshold, PhoneRegions: c.PhoneRegions,
		CodeLength: c.CodeLength, CodeLifetime: c.CodeLifetime, CodeTries: c.CodeTries,
		CodeTriesPerDay: c.CodeTriesPerDay, CodeResendAfter: c.CodeResendAfter,
		CodeLockAfter: c.CodeLockAfter, CodeLocks: c.CodeLocks,
		CodeTriesPerAdvisor: c.CodeTriesPerAdvisor, CodeTriesPerStore: c.CodeTriesPerStore,
		CodeSelfTriesPerPage: c.CodeSelfTriesPerPage, CodeSelfTriesPerAddress: c.CodeSelfTriesPerAddress,
		CodeSelfTriesPerAdvisor: c.CodeSelfTriesPerAdvisor, CodeSelfTriesPerStore: c.CodeSelfTriesPerStore,
		CodeSendsPerPhone: c.CodeSendsPerPhone, CodeSendsPerAdvisor: c.CodeSendsPerAdvisor,
		CodeSendsPerAddress: c.CodeSendsPerAddress, CodeLater: c.CodeLater,
		PromoHold: c.PromoHold, PromoNeedsVerifiedPhone: c.PromoNeedsVerifiedPhone,
		PromoVoidReturnsUse: c.PromoVoidReturnsUse, PromoOneLiveCode: c.PromoOneLiveCode,
		PromoTriesPerAdvisor: c.PromoTriesPerAdvisor, PromoTriesPerStore: c.PromoTriesPerStore,
		PromoTriesPerAddress: c.PromoTriesPerAddress,
		MessageAt:            int(c.MessageAt), MessageFrom: int(c.MessageFrom), MessageUntil: int(c.MessageUntil),
		MessagesPerWeek: c.MessagesPerWeek, MessageReportWithin: c.MessageReportWithin,
		VisitAbandonedAfter: c.VisitAbandonedAfter,
		SignInAttempts:      c.SignInAttempts, SignInAttemptsPerAddress: c.SignInAttemptsPerAddress,
	}
}
