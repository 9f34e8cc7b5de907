package domain

import (
	"strings"
	"testing"
	"time"
)

func TestReadWord(t *testing.T) {
	for _, c := range []struct {
		word  IncomingWord
		texts []string
	}{
		{StopWord, []string{
			"STOP", "stop", "Stop.", " stop. ", "СТОП", "Стоп!", "«стоп»", "\"СТОП\"", "стоп\r\n", "*стоп*", "стоп 🙏", "СТОООП!!!",
			"ОТПИСКА", "отписка", "Отписка.", "НЕТ", "нет", "Нет!!!", "нет.", "unsubscribe", "UnSubscribe", "UNSUB", "stopall", "Stop all",
			"opt-out", "Opt out", "OPT – OUT", "opt_out", "opt\u2011out", "opt\u00adout", "opt\nout", "opt.out!", "please opt-out", "opt out all", "optout",
			"un-subscribe", "un subscribe me", "stop-all", "от-писка", "отпи сать", "«стоп»", "STOP!!!", "(stop)", "stop…", "-stop-", "#стоп", "СТОП;",
			"QUIT", "cancel", "End", "revoke", "OPTOUT", "отмена", "Отключите", "отключить, пожалуйста", "отключите рассылку",
			"С Т О П", "S.T.O.P.", "стоп стоп стоп", "стоп, нет", "NET", "otpiska",
			// Letters of the other alphabet, and marks that nobody sees.
			"CТОП", "CTOП", "СТOП", "SТОР", "STОP", "HET", "НEТ", "ст0п", "CTOΠ", "ＳＴＯＰ", "сто\u0301п", "\ufeffстоп", "сто\u00adп", "с\u200bтоп",
			// What is to be stopped, and how kindly.
			"стоп, пожалуйста", "Пожалуйста, стоп", "stop please", "Нет, спасибо", "отписка от рассылки", "Отпишите меня",
			"отписаться", "СТОП СМС", "stop sms", "Unsubscribe me, please.", "Отпишите меня от рассылок, пожалуйста!",
		}},
		{StartWord, []string{"START", "старт", "«Старт»", "start!", "CТAРТ", "старт, пожалуйста"}},
		{NoWord, []string{
			"", " ", "?", "🙂", "да", "ок", "12345", "0",
			"нет, спасибо, позвоните завтра", "нет смс", "Нет сообщений", "СМС", "спасибо", "меня", "не стоп", "стоп старт", "старт нет", "старт смс",
			"opt", "out", "opt in", "opt-in", "out opt", "timeout", "option", "opt me out", "I opted out", "en dash", "sub un", "не т", "stop-loss", "100% стоп",
			"the end", "отмена заказа", "отключите свет", "weekend", "cancel my order",
			"стоп 5", "стопка", "нетто", "остановка", "перестаньте", "Это не мой номер", "Хватит писать", "Когда забрать подарок?",
			"Стоп, я хотел спросить про подарок", "restart", "unstoppable", "нет вопросов", "Net 24",
		}},
	} {
		for _, text := range c.texts {
			if got := readWord(text); got != c.word {
				t.Errorf("readWord(%q) = %q, want %q", text, got, c.word)
			}
		}
	}
	// However long a text is, it is read.
	if got := readWord(strings.Repeat("стоп ", 400)); got != StopWord {
		t.Errorf("many stops are %q", got)
	}
}

// On a number that several firms share a customer begins with the word that
// leads to us.
func TestReadWordAfterPrefix(t *testing.T) {
	for _, c := range []struct {
		text, prefix string
		word         IncomingWord
	}{
		{"Лото СТОП", "лото", StopWord},
		{"loto: стоп", "LOTO", StopWord},
		{"ЛОТО старт", "лото", StartWord},
		{"СТОП лото", "лото", NoWord},
		{"лото", "лото", NoWord},
		{"лотопром стоп", "лото", NoWord},
		{"стоп, пожалуйста", "стоп", StopWord},
		{"нет, спасибо", "нет", StopWord},
		{"нет связи", "нет", NoWord},
		{"стоп", "", StopWord},
	} {
		if got := readWordAfter(c.prefix, c.text); got != c.word {
			t.Errorf("readWordAfter(%q, %q) = %q, want %q", c.prefix, c.text, got, c.word)
		}
	}
}

func TestMayBeStop(t *testing.T) {
	for _, text := range []string{
		"нет, спасибо, позвоните завтра", "Хватит писать!", "не пишите мне", "Больше не присылайте ничего", "удалите мой номер", "это спам",
		"Прошу отписать меня от всех ваших рассылок навсегда", "я отказываюсь", "please unsubscribe my number", "стоп старт", "нет смс", "Стоп, а подарок?",
		"please opt me out", "I opted out", "opt-out of this list", "I want to opt out", "remove me", "stop texting me", "stop-loss", "100% стоп", "un-subscribe my number now",
	} {
		if !mayBeStop(text) {
			t.Errorf("%q is not seen as a wish to hear no more", text)
		}
	}
	for _, text := range []string{"", "Когда забрать подарок?", "спасибо", "не понял", "пишите ещё", "интернет", "старт", "opt in", "out of options", "about", "timeout", "the end"} {
		if mayBeStop(text) {
			t.Errorf("%q is seen as a wish to hear no more", text)
		}
	}
}

// An answer asks no consent and no hours, and never goes to somebody who had
// themselves erased.
func TestMayAnswer(t *testing.T) {
	s := &Service{Clock: time.Now, Settings: DefaultSettings()}
	f := MessageFacts{Message: Message{Channel: ServiceChannel, Kind: StoppedMessage}}
	if reason := s.mayMessage(f); reason != "" {
		t.Errorf("an answer is refused: %s", reason)
	}
	now := time.Now()
	f.ErasedAt = &now
	if reason := s.mayMessage(f); reason != "erased" {
		t.Errorf("an answer to somebody erased: %q", reason)
	}
}

func FuzzReadWord(f *testing.F) {
	for _, text := range []string{"СТОП", "нет, спасибо", "\xff\x00стоп", "！～"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// Quotes and spaces never change what a text says.
		if a, b := readWord(text), readWord(" «"+text+"»! "); a != b {
			t.Errorf("%q is %q, in quotes %q", text, a, b)
		}
	})
}
