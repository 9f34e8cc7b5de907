package sql_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// old are the rows of a database of version 4: a purchase whose code a friend
// holds and another has bought with.
var old = []string{
	`INSERT INTO programmes (name, brand, active, discounts_on, friend_discount_percent, friend_discount_kopecks,
		trial_discount_percent, trial_discount_kopecks, referral_uses, referral_days, trial_days, created_at)
	VALUES ('П', 'Т', TRUE, TRUE, 15, 0, 0, 50000, 3, 90, 30, '2025-06-02 09:00:00+00:00')`,
	`INSERT INTO stores (programme_id, name, city, address, time_zone, active) VALUES (1, 'Арбат', 'Москва', '', 'Europe/Moscow', TRUE)`,
	`INSERT INTO staff (login, name, role, language, password_hash, active, created_at)
	VALUES ('anna', 'Анна', 'advisor', 'ru', '', TRUE, '2025-06-02 09:00:00+00:00')`,
	`INSERT INTO products (programme_id, name, price, active, position) VALUES (1, 'Набор', 299000, TRUE, 1)`,
	`INSERT INTO contacts (phone, name, language, created_at) VALUES
		('+79160000001', 'Мария', 'ru', '2025-06-02 09:00:00+00:00'), ('+79160000002', 'Пётр', 'ru', '2025-06-02 09:00:00.123456+00:00'),
		('+79160000003', 'Яна', 'en', '2025-06-02 09:00:00+00:00')`,
	`INSERT INTO visits (programme_id, store_id, advisor_id, request_id, language, day, started_at, touched_at, ended_at, age,
		personal_data, communications, contact_id, customer_name, code_skipped, promo_passed, outcome, product_id, price, discount)
	SELECT 1, 1, 1, 'request-' || id, 'ru', '2025-06-02', '2025-06-02 09:00:00+00:00', '2025-06-02 09:00:00+00:00',
		CASE WHEN id < 3 THEN CAST('2025-06-02 09:10:00+00:00' AS %s) END, 'no_doubt',
		TRUE, TRUE, id, name, FALSE, TRUE, CASE WHEN id < 3 THEN 'purchase' ELSE '' END, 1, 299000, 0 FROM contacts ORDER BY id`,
	`INSERT INTO promo_codes (programme_id, code, kind, owner_id, state, discount_percent, discount_kopecks, max_uses, used, expires_at, source_visit_id, created_at)
	VALUES (1, '0000000001', 'referral', 1, 'active', 15, 0, 3, 2, '2025-09-01 21:00:00+00:00', 1, '2025-06-02 09:10:00.5+00:00'),
		(1, '0000000002', 'trial', 3, 'frozen', 0, 50000, 1, 0, NULL, 3, '2025-06-02 09:10:00+00:00'),
		(1, '0000000003', 'trial', 3, 'void', 0, 50000, 1, 0, NULL, 3, '2025-06-02 09:10:00+00:00')`,
	// The highest number is gone and must not be given out again.
	`DELETE FROM promo_codes WHERE code = '0000000003'`,
	`INSERT INTO redemptions (programme_id, promo_code_id, visit_id, friend_id, friend_phone, state, held_at, held_until, settled_at)
	VALUES (1, 1, 2, NULL, NULL, 'expired', '2025-06-02 09:00:00+00:00', '2025-06-02 09:15:00+00:00', '2025-06-02 09:16:00+00:00'),
		(1, 1, 2, 2, '+79160000002', 'confirmed', '2025-06-02 09:00:00+00:00', '2025-06-02 09:15:00+00:00', '2025-06-02 09:10:00+00:00'),
		(1, 1, 3, 3, '+79160000003', 'held', '2025-06-02 09:20:00.654321+00:00', '2025-06-02 09:35:00+00:00', NULL)`,
	`INSERT INTO promo_refusals (visit_id, promo_code_id, store_id, staff_id, reason, at) VALUES (3, 2, 1, 1, 'frozen', '2025-06-02 09:19:00+00:00')`,
	`INSERT INTO messages (kind, programme_id, contact_id, visit_id, store_id, promo_code_id, language, body, state, reason, gateway, due_at, created_at)
	VALUES ('referral', 1, 1, 1, 1, 1, 'ru', '', 'scheduled', '', '', '2025-06-03 08:00:00+00:00', '2025-06-02 09:10:00+00:00')`,
}

// oldColumns are what version 4 kept of codes and of what refers to them.
var oldColumns = map[string]string{
	"visits":         "id, request_id, contact_id, outcome, price, ended_at",
	"promo_codes":    "id, programme_id, code, kind, owner_id, state, discount_percent, discount_kopecks, max_uses, used, expires_at, source_visit_id, created_at",
	"redemptions":    "id, programme_id, promo_code_id, visit_id, friend_id, friend_phone, state, held_at, held_until, settled_at",
	"promo_refusals": "id, visit_id, promo_code_id, store_id, staff_id, reason, at",
	"messages":       "id, kind, contact_id, visit_id, promo_code_id, state, due_at, created_at",
}

func oldRows(t *testing.T, db *sql.DB) (out []string) {
	t.Helper()
	for table, columns := range oldColumns {
		rows, err := db.Raw().QueryxContext(t.Context(), `SELECT `+columns+` FROM `+table+` ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.SliceScan()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprint(table, values))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}

// SQLite makes codes and their uses anew, with foreign keys off meanwhile:
// every row is there afterwards, and so is every guard.
func TestMigrateKeepsCodes(t *testing.T) {
	migrates := func(t *testing.T, o sql.Options) {
		db := openAt(t, o)
		if err := db.MigrateTo(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		exec := func(query string) error {
			_, err := db.RawWrite().ExecContext(t.Context(), query)
			return err
		}
		moment := map[bool]string{true: "timestamptz", false: "text"}[db.IsPostgres()]
		for _, query := range old {
			if slices.Contains([]rune(query), '%') {
				query = fmt.Sprintf(query, moment)
			}
			if err := exec(query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		before := oldRows(t, db)
		if len(before) != 10 {
			t.Fatalf("only %d rows are compared", len(before))
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "rows", oldRows(t, db), before)
		recount(t, db)
		for what, query := range map[string]string{
			"a code of nobody":         `UPDATE promo_codes SET owner_id = NULL WHERE id = 1`,
			"a use too many":           `UPDATE promo_codes SET used = 4 WHERE id = 1`,
			"the same digits":          `UPDATE promo_codes SET code = '0000000001' WHERE id = 2`,
			"a use of no code":         `UPDATE redemptions SET promo_code_id = 99 WHERE id = 3`,
			"a message of no code":     `UPDATE messages SET promo_code_id = 99`,
			"a code that is used gone": `DELETE FROM promo_codes WHERE id = 1`,
			"one phone twice":          `UPDATE redemptions SET friend_phone = '+79160000002', friend_id = 2 WHERE id = 3`,
			"voided without a time":    `UPDATE redemptions SET state = 'voided' WHERE id = 2`,
			"void without a reason":    `UPDATE visits SET voided_at = ended_at, voided_by = 1 WHERE id = 1`,
		} {
			if exec(query) == nil {
				t.Errorf("%s is let in", what)
			}
		}
		if !db.IsPostgres() {
			if n := count(t, db, `SELECT count(*) FROM pragma_foreign_key_check`); n != 0 {
				t.Errorf("%d rows refer to nothing", n)
			}
		}
		if err := exec(`INSERT INTO promo_codes (programme_id, code, kind, owner_id, state, discount_percent, discount_kopecks, max_uses, used, source_visit_id, created_at)
			VALUES (1, '0000000004', 'trial', 3, 'active', 10, 0, 1, 0, 3, '2025-06-02 09:10:00+00:00')`); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, `SELECT max(id) FROM promo_codes`); n != 4 {
			t.Errorf("the next code has the number %d, want 4", n)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		sqltest.SkipEmbedded(t)
		migrates(t, options("", filepath.Join(t.TempDir(), "p.db")))
	})
	t.Run("postgres", func(t *testing.T) { migrates(t, options(sqltest.PostgresURL(t), "")) })
}

// An upgrade finds a code whose three friends bought before there were gifts:
// its owner is owed one, and the check is content.
func TestMigrateGivesEarnedGifts(t *testing.T) {
	migrates := func(t *testing.T, o sql.Options) {
		db := openAt(t, o)
		if err := db.MigrateTo(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		moment := map[bool]string{true: "timestamptz", false: "text"}[db.IsPostgres()]
		for _, query := range old {
			exec(t, db, strings.ReplaceAll(query, "%s", moment))
		}
		for i := 4; i <= 5; i++ {
			exec(t, db, fmt.Sprintf(`INSERT INTO contacts (phone, name, language, created_at) VALUES ('+7916000000%d', '', 'ru', '2025-06-02 09:00:00+00:00')`, i))
			exec(t, db, fmt.Sprintf(`INSERT INTO visits (programme_id, store_id, advisor_id, request_id, language, day, started_at, touched_at, ended_at, age,
				personal_data, communications, contact_id, customer_name, code_skipped, promo_passed, outcome, product_id, price, discount)
			SELECT 1, 1, 1, 'more-%d', 'ru', '2025-06-02', started_at, started_at, ended_at, 'no_doubt', TRUE, TRUE, %d, '', FALSE, TRUE, 'purchase', 1, 299000, 44850 FROM visits WHERE id = 1`, i, i))
			exec(t, db, fmt.Sprintf(`INSERT INTO redemptions (programme_id, promo_code_id, visit_id, friend_id, friend_phone, state, held_at, held_until, settled_at)
			VALUES (1, 1, %d, %d, '+7916000000%d', 'confirmed', '2025-06-02 09:00:00+00:00', '2025-06-02 09:15:00+00:00', '2025-06-02 09:10:00+00:00')`, i, i, i))
		}
		exec(t, db, `DELETE FROM redemptions WHERE state = 'held'`)
		exec(t, db, `UPDATE visits SET discount = 44850 WHERE id = 2`)
		exec(t, db, `UPDATE visits SET price = 0 WHERE id = 3`)
		exec(t, db, `UPDATE promo_codes SET used = 3 WHERE id = 1`)
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if found, err := db.Recount(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("the check: %v, %v", found, err)
		}
		if g, err := db.GiftOfCode(t.Context(), 1); err != nil || g.State != domain.GiftEarned || g.OwnerID != 1 || g.EarnedAt.IsZero() {
			t.Errorf("the gift %+v, %v", g, err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		sqltest.SkipEmbedded(t)
		migrates(t, options("", filepath.Join(t.TempDir(), "p.db")))
	})
	t.Run("postgres", func(t *testing.T) { migrates(t, options(sqltest.PostgresURL(t), "")) })
}

// A job that an older version left unique is one like any other afterwards.
func TestMigrateEndsUniqueJobs(t *testing.T) {
	db := sqltest.Postgres(t)
	const add = `INSERT INTO river_job (kind, args, max_attempts, state, finalized_at, unique_key, unique_states)
		VALUES ('expire_holds', '{}', 1, 'completed', now(), 'a', B'11110101')`
	if _, err := db.Raw().ExecContext(t.Context(), add); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Raw().ExecContext(t.Context(), add); err == nil {
		t.Fatal("the job is not unique")
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, `SELECT count(*) FROM river_job WHERE unique_key IS NOT NULL`); n != 0 {
		t.Errorf("%d jobs are unique", n)
	}
	if n := count(t, db, `SELECT count(*) FROM river_job`); n != 1 {
		t.Errorf("%d jobs are left, want 1", n)
	}
}
