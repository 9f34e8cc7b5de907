-- Promo codes, their uses, and the messages that carry them.

-- +goose Up
-- The owner's phone is read through the contact and not kept twice. used
-- counts the held and the confirmed redemptions; the check is the last guard
-- against a use too many.
CREATE TABLE promo_codes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    code TEXT NOT NULL UNIQUE CHECK (length(code) = 10 AND code NOT GLOB '*[^0-9]*'),
    kind TEXT NOT NULL CHECK (kind IN ('referral', 'trial')),
    owner_id INTEGER NOT NULL REFERENCES contacts (id),
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen', 'void')),
    discount_percent INTEGER NOT NULL CHECK (discount_percent BETWEEN 0 AND 100),
    discount_kopecks INTEGER NOT NULL CHECK (discount_kopecks >= 0),
    max_uses INTEGER NOT NULL CHECK (max_uses >= 1),
    used INTEGER NOT NULL CHECK (used BETWEEN 0 AND max_uses),
    expires_at TIMESTAMP,
    source_visit_id INTEGER NOT NULL REFERENCES visits (id),
    created_at TIMESTAMP NOT NULL,
    CHECK (discount_percent = 0 OR discount_kopecks = 0)
);
CREATE INDEX promo_codes_owner ON promo_codes (owner_id, programme_id, kind);

CREATE TABLE redemptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    promo_code_id INTEGER NOT NULL REFERENCES promo_codes (id),
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    friend_id INTEGER REFERENCES contacts (id),
    friend_phone TEXT CHECK (friend_phone GLOB '+[0-9]*' AND substr(friend_phone, 2) NOT GLOB '*[^0-9]*' AND length(friend_phone) BETWEEN 8 AND 16),
    state TEXT NOT NULL CHECK (state IN ('held', 'confirmed', 'released', 'expired')),
    held_at TIMESTAMP NOT NULL,
    held_until TIMESTAMP NOT NULL,
    settled_at TIMESTAMP,
    CHECK ((state = 'held') = (settled_at IS NULL)),
    -- A NULL slips through a unique index, so a use that counts must name its phone.
    CHECK (state NOT IN ('held', 'confirmed') OR (friend_id IS NOT NULL AND friend_phone IS NOT NULL))
);
-- One use per phone and programme, one per visit, among those that count.
CREATE UNIQUE INDEX redemptions_phone ON redemptions (programme_id, friend_phone) WHERE state IN ('held', 'confirmed');
CREATE UNIQUE INDEX redemptions_live_visit ON redemptions (visit_id) WHERE state IN ('held', 'confirmed');
CREATE INDEX redemptions_visit ON redemptions (visit_id, id);
CREATE INDEX redemptions_friend ON redemptions (friend_id);
CREATE INDEX redemptions_held_code ON redemptions (promo_code_id, held_until) WHERE state = 'held';
CREATE INDEX redemptions_held_until ON redemptions (held_until) WHERE state = 'held';

CREATE TABLE promo_refusals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit_id INTEGER REFERENCES visits (id), -- NULL: asked on the quick page
    promo_code_id INTEGER REFERENCES promo_codes (id),
    store_id INTEGER NOT NULL REFERENCES stores (id),
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    reason TEXT NOT NULL CHECK (reason <> ''), -- an open list, so no enumeration
    at TIMESTAMP NOT NULL
);
CREATE INDEX promo_refusals_visit ON promo_refusals (visit_id, id);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    contact_id INTEGER NOT NULL REFERENCES contacts (id),
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    store_id INTEGER NOT NULL REFERENCES stores (id),
    promo_code_id INTEGER REFERENCES promo_codes (id),
    language TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('scheduled', 'sending', 'sent', 'failed', 'unknown', 'cancelled', 'suppressed')),
    reason TEXT NOT NULL,
    gateway TEXT NOT NULL,
    due_at TIMESTAMP NOT NULL,
    settled_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    CHECK (kind NOT IN ('referral', 'trial') OR promo_code_id IS NOT NULL)
);
CREATE INDEX messages_visit ON messages (visit_id, id);
CREATE INDEX messages_contact ON messages (contact_id, kind);
