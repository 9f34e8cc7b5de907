-- Purchases that are taken back, gifts for three friends, codes in batches.

-- +goose Up
ALTER TABLE visits
    ADD COLUMN voided_at timestamptz,
    ADD COLUMN voided_by bigint REFERENCES staff (id),
    ADD COLUMN void_reason text NOT NULL DEFAULT '',
    ADD CHECK (voided_at IS NULL OR (outcome = 'purchase' AND voided_by IS NOT NULL AND void_reason <> ''));

CREATE TABLE promo_batches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    request_id text NOT NULL UNIQUE CHECK (request_id <> ''), -- a double tap is one batch
    title text NOT NULL CHECK (title <> ''),
    imported boolean NOT NULL,
    size integer NOT NULL CHECK (size >= 1), -- codes in it
    staff_id bigint NOT NULL REFERENCES staff (id),
    created_at timestamptz NOT NULL
);
CREATE INDEX promo_batches_programme ON promo_batches (programme_id, id);

-- A code of a batch belongs to nobody and was earned by no visit.
ALTER TABLE promo_codes
    DROP CONSTRAINT promo_codes_kind_check,
    ADD CONSTRAINT promo_codes_kind_check CHECK (kind IN ('referral', 'trial', 'batch')),
    ALTER COLUMN owner_id DROP NOT NULL,
    ALTER COLUMN source_visit_id DROP NOT NULL,
    ADD COLUMN batch_id bigint REFERENCES promo_batches (id),
    ADD CHECK ((kind = 'batch') = (batch_id IS NOT NULL)),
    ADD CHECK ((kind = 'batch') = (owner_id IS NULL)),
    ADD CHECK ((kind = 'batch') = (source_visit_id IS NULL));
CREATE INDEX promo_codes_programme ON promo_codes (programme_id, id);
CREATE INDEX promo_codes_batch ON promo_codes (batch_id, id) WHERE batch_id IS NOT NULL;
CREATE INDEX promo_codes_source ON promo_codes (source_visit_id);

-- What people decided about a code. Rows are only added.
CREATE TABLE promo_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    promo_code_id bigint NOT NULL REFERENCES promo_codes (id),
    staff_id bigint REFERENCES staff (id), -- NULL: the program itself
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    detail text NOT NULL -- the reason that was given, or the new last day
);
CREATE INDEX promo_events_code ON promo_events (promo_code_id, id);
CREATE INDEX promo_refusals_code ON promo_refusals (promo_code_id, id);

-- used of a code counts held, confirmed, and those voided whose use is kept.
ALTER TABLE redemptions
    DROP CONSTRAINT redemptions_state_check,
    ADD CONSTRAINT redemptions_state_check CHECK (state IN ('held', 'confirmed', 'released', 'expired', 'voided')),
    ADD COLUMN voided_at timestamptz,
    ADD COLUMN use_kept boolean NOT NULL DEFAULT false,
    ADD CHECK ((state = 'voided') = (voided_at IS NOT NULL)),
    ADD CHECK (state = 'voided' OR NOT use_kept);
CREATE INDEX redemptions_code ON redemptions (promo_code_id, id);

ALTER TABLE programmes
    ADD COLUMN gift_friends integer NOT NULL DEFAULT 3 CHECK (gift_friends >= 0), -- 0: no gifts
    ADD COLUMN gift_title text NOT NULL DEFAULT '{}'; -- JSON: language -> text; {} is just "a gift"

-- One gift per code. Taken back and earned again it is the same row.
CREATE TABLE gifts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    owner_id bigint NOT NULL REFERENCES contacts (id),
    promo_code_id bigint NOT NULL UNIQUE REFERENCES promo_codes (id),
    state text NOT NULL CHECK (state IN ('earned', 'collected', 'revoked')),
    earned_at timestamptz NOT NULL,
    revoked_at timestamptz,
    collected_at timestamptz,
    collected_visit_id bigint REFERENCES visits (id),
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
