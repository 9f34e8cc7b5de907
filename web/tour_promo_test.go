package main

import "strings"

// walkPromoCodes shows a supervisor's promo codes, batches and the import.
func walkPromoCodes(w *window, show look) {
	w.open("/sign-in")
	w.at(atSignIn)
	w.fill("Логин", "vera")
	w.fill("Пароль", demoPassword)
	w.press("Войти")
	w.at("Визиты")
	w.open("/promo-codes?kind=batch")
	w.see("Таких промокодов нет")
	show("promo-codes-none", w)
	w.open("/promo-batches")
	w.see("Партий пока нет")
	show("promo-batches-none", w)
	w.press("Новая партия")
	w.at("Новая партия")
	show("promo-batch-new", w)
	w.press("Выпустить промокоды")
	w.see("Выберите, как считать скидку")
	show("promo-batch-fault", w)
	w.fill("Название", "Листовки, май")
	w.fill("Сколько промокодов", "120")
	w.choose("В процентах")
	w.fill("Процентов", "15")
	w.fill("Сколько раз можно применить каждый", "100")
	w.press("Выпустить промокоды")
	w.see("В партии 120 промокодов")
	show("promo-codes-batch", w)
	w.open(w.link("a.visit-link"))
	w.see("Промокод ещё никто не применял")
	show("promo-code-many-uses", w)

	w.open("/promo-codes?q=nobody")
	w.see("Это не промокод и не мобильный телефон")
	show("promo-codes-fault", w)
	w.open("/promo-codes?kind=referral")
	w.at("Промокоды")
	show("promo-codes", w)
	w.open("/promo-codes?q=9000000001") // the demo's own customer, whose code has a last day
	w.at("Промокоды")
	w.open(w.link("a.visit-link"))
	w.see("Кто применял")
	show("promo-code", w)
	w.press("Заморозить")
	w.see("Никто не сможет его применить")
	show("promo-freeze", w)
	w.press("Заморозить")
	w.see("Напишите причину")
	show("promo-freeze-fault", w)
	w.fill("Почему", "Промокод выложили в открытый чат")
	w.press("Заморозить")
	w.see("Что решали", "Промокод выложили в открытый чат")
	show("promo-code-frozen", w)
	w.press("Разморозить")
	w.see("Его снова можно будет применять")
	show("promo-thaw", w)
	w.fill("Почему", "Разобрались с партнёром")
	w.press("Разморозить")
	w.see("Разобрались с партнёром")
	w.press("Продлить")
	w.see("Срок станет длиннее")
	show("promo-extend", w)
	w.press("Продлить")
	w.see("Выберите последний день")
	show("promo-extend-fault", w)
	w.choose("Без срока")
	w.fill("Почему", "Акция партнёра стала постоянной")
	w.press("Продлить")
	w.see("Продлён без срока")
	show("promo-code-endless", w)

	w.open("/promo-batches/import")
	w.at("Загрузить из CSV")
	show("promo-import", w)
	w.fill("Название", "Партнёр")
	w.paste("text", strings.Join([]string{
		"code;discount_percent;discount_rub;uses;valid_until", "1234567890;15;;1;31.12.2020", "12345;101;;0;", "0000000000;;;1;завтра",
	}, "\n"))
	w.press("Загрузить")
	w.see("Что исправить")
	show("promo-import-report", w)
	w.open("/promo-batches")
	w.see("Листовки, май")
	show("promo-batches", w)
}

// paste puts a text of several lines into a field, as no keyboard would.
func (w *window) paste(id, text string) {
	w.t.Helper()
	w.until("paste into "+id, func() error {
		_, err := eval[bool](w, "((e) => { e.value = "+quoteJS(text)+"; return true })(document.getElementById("+quoteJS(id)+"))")
		return err
	})
}

// quoteJS writes a text as a script would.
func quoteJS(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}
