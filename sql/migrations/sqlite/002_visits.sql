-- Customers and the visits they make.

-- +goose Up
-- One person per phone. The check keeps a second spelling of a number from
-- becoming a second person.
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    phone TEXT NOT NULL UNIQUE CHECK (phone GLOB '+[0-9]*' AND substr(phone, 2) NOT GLOB '*[^0-9]*' AND length(phone) BETWEEN 8 AND 16),
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    verified_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE visits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    store_id INTEGER NOT NULL REFERENCES stores (id),
    advisor_id INTEGER NOT NULL REFERENCES staff (id),
    request_id TEXT NOT NULL UNIQUE CHECK (request_id <> ''), -- a double tap is one visit
    language TEXT NOT NULL,
    day TEXT NOT NULL CHECK (length(day) = 10), -- YYYY-MM-DD on the store's clock
    started_at TIMESTAMP NOT NULL,
    touched_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    age TEXT NOT NULL CHECK (age IN ('', 'no_doubt', 'document', 'refused', 'under')),
    consents_at TIMESTAMP,
    personal_data BOOLEAN NOT NULL,
    communications BOOLEAN NOT NULL,
    contact_id INTEGER REFERENCES contacts (id),
    customer_name TEXT NOT NULL,
    verified_at TIMESTAMP,
    code_skipped BOOLEAN NOT NULL,
    promo_passed BOOLEAN NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('', 'trial', 'purchase', 'left', 'refused', 'abandoned')),
    product_id INTEGER REFERENCES products (id),
    price INTEGER NOT NULL CHECK (price >= 0),
    discount INTEGER NOT NULL CHECK (discount BETWEEN 0 AND price),
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
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    staff_id INTEGER REFERENCES staff (id), -- NULL: the program itself
    at TIMESTAMP NOT NULL,
    kind TEXT NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    detail TEXT NOT NULL
);
CREATE INDEX visit_events_visit ON visit_events (visit_id, id);

-- Rows are only added. What changes later is whom the answer belongs to and
-- whether a code confirmed it.
CREATE TABLE consents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    contact_id INTEGER REFERENCES contacts (id), -- NULL: the visit is anonymous
    store_id INTEGER NOT NULL REFERENCES stores (id),
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    document_id INTEGER NOT NULL REFERENCES consent_documents (id),
    hash TEXT NOT NULL,
    given BOOLEAN NOT NULL,
    at TIMESTAMP NOT NULL,
    challenge_id TEXT
);
CREATE INDEX consents_visit ON consents (visit_id, id);
CREATE INDEX consents_contact ON consents (contact_id, id);

CREATE TABLE answers (
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    question_id INTEGER NOT NULL REFERENCES questions (id),
    value TEXT NOT NULL,
    PRIMARY KEY (visit_id, question_id)
);

CREATE TABLE code_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    store_id INTEGER NOT NULL REFERENCES stores (id),
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    challenge_id TEXT NOT NULL, -- empty where none was live
    kind TEXT NOT NULL CHECK (kind IN ('send', 'check')),
    verdict TEXT NOT NULL CHECK (verdict <> ''),
    after_send_us INTEGER NOT NULL, -- microseconds since the SMS; 0 where unknown
    at TIMESTAMP NOT NULL
);
CREATE INDEX code_attempts_visit ON code_attempts (visit_id, id);

-- A challenge is recorded once, even where Redis lost it and says "right" again.
CREATE TABLE verifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    challenge_id TEXT NOT NULL UNIQUE CHECK (challenge_id <> ''),
    visit_id INTEGER NOT NULL REFERENCES visits (id),
    contact_id INTEGER REFERENCES contacts (id), -- NULL: taken out of the visit again
    store_id INTEGER NOT NULL REFERENCES stores (id),
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    at TIMESTAMP NOT NULL,
    UNIQUE (visit_id, contact_id)
);
CREATE INDEX verifications_contact ON verifications (contact_id);
