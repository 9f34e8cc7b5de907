-- Customers and the visits they make.

-- +goose Up
-- One person per phone. The check keeps a second spelling of a number from
-- becoming a second person.
CREATE TABLE contacts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phone text NOT NULL UNIQUE CHECK (phone ~ '^\+[0-9]{7,15}$'),
    name text NOT NULL,
    language text NOT NULL,
    verified_at timestamptz,
    created_at timestamptz NOT NULL
);

CREATE TABLE visits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    store_id bigint NOT NULL REFERENCES stores (id),
    advisor_id bigint NOT NULL REFERENCES staff (id),
    request_id text NOT NULL UNIQUE CHECK (request_id <> ''), -- a double tap is one visit
    language text NOT NULL,
    day text NOT NULL CHECK (length(day) = 10), -- YYYY-MM-DD on the store's clock
    started_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,
    ended_at timestamptz,
    age text NOT NULL CHECK (age IN ('', 'no_doubt', 'document', 'refused', 'under')),
    consents_at timestamptz,
    personal_data boolean NOT NULL,
    communications boolean NOT NULL,
    contact_id bigint REFERENCES contacts (id),
    customer_name text NOT NULL,
    verified_at timestamptz,
    code_skipped boolean NOT NULL,
    promo_passed boolean NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('', 'trial', 'purchase', 'left', 'refused', 'abandoned')),
    product_id bigint REFERENCES products (id),
    price bigint NOT NULL CHECK (price >= 0),
    discount bigint NOT NULL CHECK (discount BETWEEN 0 AND price),
    CHECK ((outcome = '') = (ended_at IS NULL)),
    CHECK (outcome <> 'purchase' OR product_id IS NOT NULL),
    -- Without the consent nothing personal may be stored, whatever a program does.
    CHECK (personal_data OR (contact_id IS NULL AND customer_name = ''))
);
-- The supervisor's list runs by id downwards; every filter has its index.
CREATE INDEX visits_store ON visits (store_id, id);
CREATE INDEX visits_store_day ON visits (store_id, day, id);
CREATE INDEX visits_day ON visits (day, id);
CREATE INDEX visits_advisor ON visits (advisor_id, id);
CREATE INDEX visits_outcome ON visits (outcome, id);
CREATE INDEX visits_contact ON visits (contact_id);
CREATE INDEX visits_open ON visits (touched_at) WHERE ended_at IS NULL;
CREATE INDEX visits_open_advisor ON visits (advisor_id, store_id, id) WHERE ended_at IS NULL;

CREATE TABLE visit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    visit_id bigint NOT NULL REFERENCES visits (id),
    staff_id bigint REFERENCES staff (id), -- NULL: the program itself
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    detail text NOT NULL
);
CREATE INDEX visit_events_visit ON visit_events (visit_id, id);

-- Rows are only added. What changes later is whom the answer belongs to and
-- whether a code confirmed it.
CREATE TABLE consents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    visit_id bigint NOT NULL REFERENCES visits (id),
    contact_id bigint REFERENCES contacts (id), -- NULL: the visit is anonymous
    store_id bigint NOT NULL REFERENCES stores (id),
    staff_id bigint NOT NULL REFERENCES staff (id),
    document_id bigint NOT NULL REFERENCES consent_documents (id),
    hash text NOT NULL,
    given boolean NOT NULL,
    at timestamptz NOT NULL,
    challenge_id text
);
CREATE INDEX consents_visit ON consents (visit_id, id);
CREATE INDEX consents_contact ON consents (contact_id, id);

CREATE TABLE answers (
    visit_id bigint NOT NULL REFERENCES visits (id),
    question_id bigint NOT NULL REFERENCES questions (id),
    value text NOT NULL,
    PRIMARY KEY (visit_id, question_id)
);

CREATE TABLE code_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    visit_id bigint NOT NULL REFERENCES visits (id),
    store_id bigint NOT NULL REFERENCES stores (id),
    staff_id bigint NOT NULL REFERENCES staff (id),
    challenge_id text NOT NULL, -- empty where none was live
    kind text NOT NULL CHECK (kind IN ('send', 'check')),
    verdict text NOT NULL CHECK (verdict <> ''),
    after_send_us bigint NOT NULL, -- microseconds since the SMS; 0 where unknown
    at timestamptz NOT NULL
);
CREATE INDEX code_attempts_visit ON code_attempts (visit_id, id);

-- A challenge is recorded once, even where Redis lost it and says "right" again.
CREATE TABLE verifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    challenge_id text NOT NULL UNIQUE CHECK (challenge_id <> ''),
    visit_id bigint NOT NULL REFERENCES visits (id),
    contact_id bigint REFERENCES contacts (id), -- NULL: taken out of the visit again
    store_id bigint NOT NULL REFERENCES stores (id),
    staff_id bigint NOT NULL REFERENCES staff (id),
    at timestamptz NOT NULL,
    UNIQUE (visit_id, contact_id)
);
CREATE INDEX verifications_contact ON verifications (contact_id);
