package domain

import (
	"slices"
	"strings"
	"unicode"
)

// IncomingWord is what a customer's SMS was understood as.
type IncomingWord string

// The words that are heard. Everything else is for the supervisor to read.
const (
	NoWord    IncomingWord = ""
	StopWord  IncomingWord = "stop"
	StartWord IncomingWord = "start"
)

// The words, as they are folded. A "no" may also be an answer ("нет смс": none
// has come), so less may stand beside it than beside a clear demand.
var (
	stopWords   = wordsOf("STOP STOPALL UNSUBSCRIBE UNSUB QUIT CANCEL END REVOKE OPTOUT ОТМЕНА ОТКЛЮЧИТЕ ОТКЛЮЧИТЬ ОТКЛЮЧИ СТОП ОТПИСКА OTPISKA ОТПИСАТЬСЯ ОТПИШИТЕ ОТПИСАТЬ")
	noWords     = wordsOf("НЕТ NET")
	startWords  = wordsOf("START СТАРТ")
	politeWords = wordsOf("ПОЖАЛУЙСТА ПОЖАЛУСТА ПЛИЗ СПАСИБО БЛАГОДАРЮ PLEASE PLS THANKS THANK YOU")
	objectWords = wordsOf("МЕНЯ ОТ ВСЕ ВСЕХ РАССЫЛКА РАССЫЛКУ РАССЫЛКИ РАССЫЛОК СМС СООБЩЕНИЯ СООБЩЕНИЙ ME ALL SMS MESSAGES FROM")
	// stopStems begin what somebody who wants to hear no more may write in a
	// sentence.
	stopStems = wordsOf("ОТПИС ОТПИШ ХВАТИТ ПРЕКРАТ УДАЛИ ОТКАЗ ОТКЛЮЧ ОТМЕН СПАМ UNSUB QUIT CANCEL REVOKE REMOVE OPTOUT СТОП STOP")
	// One may stand far from the other.
	optWord, outWord = wordsOf("OPT")[0], wordsOf("OUT")[0]
	// notStems do where "не" stands before them.
	notStems = wordsOf("ПИШ ПРИСЫЛ ШЛИТЕ ЗВОН БЕСПОК НАДО ХОЧУ")
)

// joined puts two words together that are a stop word in two ("opt-out", "un
// subscribe", "от писка"): phones and people set a dash or a space anywhere.
func joined(words []string) []string {
	var out []string
	for _, w := range words {
		if n := len(out); n > 0 && slices.Contains(stopWords, out[n-1]+w) {
			out[n-1] += w
			continue
		}
		out = append(out, w)
	}
	return out
}

// readWord tells what an SMS says. It is a stop where it says nothing but a
// stop word, in any case, spelling of alphabets, quotes and punctuation;
// "please", "thank you" and what is to be stopped ("отписка от рассылки") may
// stand beside it. Whoever writes a sentence round it wants to be read by a
// person, and "стоп старт" can only be understood by one.
func readWord(text string) IncomingWord {
	words := joined(wordsOf(text))
	if len(words) > 1 && !slices.ContainsFunc(words, func(w string) bool { return len([]rune(w)) > 1 }) {
		words = []string{strings.Join(words, "")} // С Т О П
	}
	var stop, no, start, object bool
	for _, w := range words {
		switch {
		case slices.Contains(stopWords, w):
			stop = true
		case slices.Contains(noWords, w):
			no = true
		case slices.Contains(startWords, w):
			start = true
		case slices.Contains(objectWords, w):
			object = true
		case !slices.Contains(politeWords, w):
			return NoWord
		}
	}
	switch {
	case start && !stop && !no && !object:
		return StartWord
	case stop && !start, no && !start && !object:
		return StopWord
	}
	return NoWord
}

// readWordAfter is readWord where the text may begin with the word by which a
// gateway has found out whose SMS it is.
func readWordAfter(prefix, text string) IncomingWord {
	word := readWord(text)
	led, words := wordsOf(prefix), wordsOf(text)
	if n := len(led); word == NoWord && n > 0 && len(words) > n && slices.Equal(words[:n], led) {
		return readWord(strings.Join(words[n:], " "))
	}
	return word
}

// mayBeStop tells that a text which is no stop by the rule may still want one,
// so that a supervisor reads it first.
func mayBeStop(text string) bool {
	words := joined(wordsOf(text))
	opts := false
	for i, w := range words {
		if opts = opts || strings.HasPrefix(w, optWord); opts && w == outWord {
			return true // "please opt me out", "opted out"
		}
		begins := func(stem string) bool { return strings.HasPrefix(w, stem) }
		if slices.Contains(noWords, w) || slices.ContainsFunc(stopStems, begins) ||
			i > 0 && words[i-1] == "НЕ" && slices.ContainsFunc(notStems, begins) {
			return true
		}
	}
	return false
}

// alike are Latin letters and a digit that look like a Cyrillic letter, and the
// Greek ones of the GSM alphabet: phones switch alphabets in the middle of a
// word, and some write so to need fewer SMS.
var alike = strings.NewReplacer("A", "А", "B", "В", "C", "С", "E", "Е", "H", "Н", "K", "К", "M", "М",
	"O", "О", "P", "Р", "T", "Т", "X", "Х", "Y", "У", "0", "О", "Ё", "Е", "Й", "И", "Γ", "Г", "Δ", "Д", "Λ", "Л", "Π", "П", "Φ", "Ф")

// wordsOf splits a text into its words, in one case and alphabet, letters that
// are drawn out once only ("стооооп").
func wordsOf(text string) []string {
	var b strings.Builder
	var last rune
	for _, r := range text {
		if r >= '！' && r <= '～' { // full width
			r -= '！' - '!'
		}
		switch {
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r):
			continue // accents, and marks that nobody sees
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = ' '
		}
		if r = unicode.ToUpper(r); r == last && unicode.IsLetter(r) {
			continue
		}
		b.WriteRune(r)
		last = r
	}
	return strings.Fields(alike.Replace(b.String()))
}
