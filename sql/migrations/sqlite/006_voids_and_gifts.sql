-- Purchases that are taken back, gifts for three friends, codes in batches.

-- SQLite cannot change a CHECK or a NOT NULL: the two tables are made anew.
-- Other tables refer to one of them, so foreign keys must be off meanwhile,
-- and that is possible only outside of a transaction. Everything up to COMMIT
-- happens or does not.

-- +goose NO TRANSACTION
-- +goose Up
PRAGMA foreign_keys = OFF;
BEGIN IMMEDIATE;

ALTER TABLE visits ADD COLUMN voided_at TIMESTAMP;
ALTER TABLE visits ADD COLUMN voided_by INTEGER REFERENCES staff (id);
ALTER TABLE visits ADD COLUMN void_reason TEXT NOT NULL DEFAULT ''
    CHECK (voided_at IS NULL OR (outcome = 'purchase' AND voided_by IS NOT NULL AND void_reason <> ''));

CREATE TABLE promo_batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    request_id TEXT NOT NULL UNIQUE CHECK (request_id <> ''), -- a double tap is one batch
    title TEXT NOT NULL CHECK (title <> ''),
    imported BOOLEAN NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 1), -- codes in it
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX promo_batches_programme ON promo_batches (programme_id, id);

-- A code of a batch belongs to nobody and was earned by no visit.
CREATE TABLE promo_codes_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    code TEXT NOT NULL UNIQUE CHECK (length(code) = 10 AND code NOT GLOB '*[^0-9]*'),
    kind TEXT NOT NULL CHECK (kind IN ('referral', 'trial', 'batch')),
    owner_id INTEGER REFERENCES contacts (id),
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen', 'void')),
    discount_percent INTEGER NOT NULL CHECK (discount_percent BETWEEN 0 AND 100),
    discount_kopecks INTEGER NOT NULL CHECK (discount_kopecks >= 0),
    max_uses INTEGER NOT NULL CHECK (max_uses >= 1),
    used INTEGER NOT NULL CHECK (used BETWEEN 0 AND max_uses),
    expires_at TIMESTAMP,
    source_visit_id INTEGER REFERENCES visits (id),
    created_at TIMESTAMP NOT NULL,
    batch_id INTEGER REFERENCES promo_batches (id),
    CHECK (discount_percent = 0 OR discount_kopecks = 0),
    CHECK ((kind = 'batch') = (batch_id IS NOT NULL)),
    CHECK ((kind = 'batch') = (owner_id IS NULL)),
    CHECK ((kind = 'batch') = (source_visit_id IS NULL))
);
INSERT INTO promo_codes_new (id, programme_id, code, kind, owner_id, state, discount_percent, discount_kopecks,
    max_uses, used, expires_at, source_visit_id, created_at)
SELECT id, programme_id, code, kind, owner_id, state, discount_percent, discount_kopecks,
    max_uses, used, expires_at, source_visit_id, created_at FROM promo_codes;
-- Numbers that were given out once are not given out again.
DELETE FROM sqlite_sequence WHERE name = 'promo_codes_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'promo_codes_new', seq FROM sqlite_sequence WHERE name = 'promo_codes';
DROP TABLE promo_codes;
ALTER TABLE promo_codes_new RENAME TO promo_codes;
CREATE INDEX promo_codes_owner ON promo_codes (owner_id, programme_id, kind);
CREATE INDEX promo_codes_programme ON promo_codes (programme_id, id);
CREATE INDEX promo_codes_batch ON promo_codes (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX promo_codes_source ON promo_codes (source_visit_id);

-- What people decided about a code. Rows are only added.
CREATE TABLE promo_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    promo_code_id INTEGER NOT NULL REFERENCES promo_codes (id),
    staff_id INTEGER REFERENCES staff (id), -- NULL: the program itself
    at TIMESTAMP NOT NULL,
    kind TEXT NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    detail TEXT NOT NULL -- the reason that was given, or the new last day
);
CREATE INDEX promo_events_code ON promo_events (promo_code_id, id);
CREATE INDEX promo_refusals_code ON promo_refusals (promo_code_id, id);

-- used of a code counts held, confirmed, and those voided whose use is kept.
CREATE TABLE redemptions_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    promo_code_id INTEGER NOT NULL REFERENCES promo_codes (id),
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    friend_id INTEGER REFERENCES contacts (id),
    friend_phone TEXT CHECK (friend_phone GLOB '+[0-9]*' AND substr(friend_phone, 2) NOT GLOB '*[^0-9]*' AND length(friend_phone) BETWEEN 8 AND 16),
    state TEXT NOT NULL CHECK (state IN ('held', 'confirmed', 'released', 'expired', 'voided')),
    held_at TIMESTAMP NOT NULL,
    held_until TIMESTAMP NOT NULL,
    settled_at TIMESTAMP,
    voided_at TIMESTAMP,
    use_kept BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK ((state = 'held') = (settled_at IS NULL)),
    CHECK ((state = 'voided') = (voided_at IS NOT NULL)),
    CHECK (state = 'voided' OR NOT use_kept),
    -- A NULL slips through a unique index, so a use that counts must name its phone.
    CHECK (state NOT IN ('held', 'confirmed') OR (friend_id IS NOT NULL AND friend_phone IS NOT NULL))
);
INSERT INTO redemptions_new (id, programme_id, promo_code_id, visit_id, friend_id, friend_phone, state, held_at, held_until, settled_at)
SELECT id, programme_id, promo_code_id, visit_id, friend_id, friend_phone, state, held_at, held_until, settled_at FROM redemptions;
DELETE FROM sqlite_sequence WHERE name = 'redemptions_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'redemptions_new', seq FROM sqlite_sequence WHERE name = 'redemptions';
DROP TABLE redemptions;
ALTER TABLE redemptions_new RENAME TO redemptions;
CREATE UNIQUE INDEX redemptions_phone ON redemptions (programme_id, friend_phone) WHERE state IN ('held', 'confirmed');
CREATE UNIQUE INDEX redemptions_live_visit ON redemptions (visit_id) WHERE state IN ('held', 'confirmed');
CREATE INDEX redemptions_visit ON redemptions (visit_id, id);
CREATE INDEX redemptions_friend ON redemptions (friend_id);
CREATE INDEX redemptions_held_code ON redemptions (promo_code_id, held_until) WHERE state = 'held';
CREATE INDEX redemptions_held_until ON redemptions (held_until) WHERE state = 'held';
CREATE INDEX redemptions_code ON redemptions (promo_code_id, id);

ALTER TABLE programmes ADD COLUMN gift_friends INTEGER NOT NULL DEFAULT 3 CHECK (gift_friends >= 0); -- 0: no gifts
ALTER TABLE programmes ADD COLUMN gift_title TEXT NOT NULL DEFAULT '{}'; -- JSON: language -> text; {} is just "a gift"

-- One gift per code. Taken back and earned again it is the same row.
CREATE TABLE gifts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    owner_id INTEGER NOT NULL REFERENCES contacts (id),
    promo_code_id INTEGER NOT NULL UNIQUE REFERENCES promo_codes (id),
    state TEXT NOT NULL CHECK (state IN ('earned', 'collected', 'revoked')),
    earned_at TIMESTAMP NOT NULL,
    revoked_at TIMESTAMP,
    collected_at TIMESTAMP,
    collected_visit_id INTEGER REFERENCES visits (id),
    CHECK ((state = 'collected') = (collected_at IS NOT NULL)),
    CHECK ((state = 'collected') = (collected_visit_id IS NOT NULL)),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL))
);
CREATE INDEX gifts_owner ON gifts (owner_id);
CREATE INDEX gifts_visit ON gifts (collected_visit_id);

-- Who has brought enough friends before there were gifts has earned one too.
INSERT INTO gifts (programme_id, owner_id, promo_code_id, state, earned_at)
SELECT p.programme_id, p.owner_id, p.id, 'earned', max(r.settled_at)
FROM promo_codes p JOIN redemptions r ON r.promo_code_id = p.id AND r.state = 'confirmed'
JOIN programmes pr ON pr.id = p.programme_id
WHERE p.kind = 'referral' AND p.state <> 'void'
GROUP BY p.programme_id, p.owner_id, p.id, pr.gift_friends HAVING count(*) >= pr.gift_friends;

COMMIT;
PRAGMA foreign_keys = ON;
