-- What Redis is asked to judge stands in the database first, so that nothing
-- that it has counted can be lost. A phone is verified for one link between
-- visit and contact. A no counts for a contact when it came from their phone.

-- +goose Up
ALTER TABLE code_attempts ADD COLUMN link TEXT NOT NULL DEFAULT '';        -- of the visit when it was asked: whose challenge this is
ALTER TABLE code_attempts ADD COLUMN request_key TEXT NOT NULL DEFAULT ''; -- hash of the form that asked; empty where it is to be judged anew
ALTER TABLE code_attempts ADD COLUMN at_work INTEGER NOT NULL DEFAULT 1;   -- requests with this form that may hear a verdict, while it is asked
CREATE UNIQUE INDEX code_attempts_request ON code_attempts (visit_id, request_key) WHERE request_key <> '';
CREATE INDEX code_attempts_asked ON code_attempts (visit_id, id) WHERE verdict = 'asked';
CREATE INDEX promo_refusals_asked ON promo_refusals (id) WHERE reason = 'asked';

ALTER TABLE visits ADD COLUMN link TEXT NOT NULL DEFAULT ''; -- drawn with each contact and each new proof of the phone; empty: from before

-- Until now every no has counted, and goes on counting.
CREATE TABLE consents_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visit_id INTEGER REFERENCES visits (id),
    contact_id INTEGER REFERENCES contacts (id), -- NULL: the visit is anonymous
    store_id INTEGER REFERENCES stores (id),
    staff_id INTEGER REFERENCES staff (id),
    document_id INTEGER NOT NULL REFERENCES consent_documents (id),
    hash TEXT NOT NULL,
    given BOOLEAN NOT NULL,
    at TIMESTAMP NOT NULL,
    challenge_id TEXT,
    source TEXT NOT NULL DEFAULT 'visit' CHECK (source IN ('visit', 'sms', 'page', 'staff')),
    holds BOOLEAN NOT NULL DEFAULT FALSE, -- a no for everything of the contact, whatever becomes of its visit
    CHECK ((source = 'visit') = (visit_id IS NOT NULL)),
    CHECK ((source = 'visit') = (store_id IS NOT NULL)),
    CHECK ((source = 'visit') = (staff_id IS NOT NULL)),
    CHECK (source = 'visit' OR NOT given) -- a yes is only given to an advisor
);
INSERT INTO consents_new (id, visit_id, contact_id, store_id, staff_id, document_id, hash, given, at, challenge_id, source, holds)
SELECT id, visit_id, contact_id, store_id, staff_id, document_id, hash, given, at, challenge_id, source, NOT given FROM consents;
DELETE FROM sqlite_sequence WHERE name = 'consents_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'consents_new', seq FROM sqlite_sequence WHERE name = 'consents';
DROP TABLE consents;
ALTER TABLE consents_new RENAME TO consents;
CREATE INDEX consents_visit ON consents (visit_id, id);
CREATE INDEX consents_contact ON consents (contact_id, id);

-- What staff took back for somebody who asked them to. Rows are only added.
CREATE TABLE withdrawals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE CHECK (request_id <> ''),
    contact_id INTEGER REFERENCES contacts (id), -- NULL: nobody we know
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    reason TEXT NOT NULL,                        -- in the words of staff; a dash once its contact is gone
    at TIMESTAMP NOT NULL
);
CREATE INDEX withdrawals_contact ON withdrawals (contact_id);

-- What customers asked for by themselves, or had staff do for them.
CREATE TABLE contact_events_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact_id INTEGER NOT NULL REFERENCES contacts (id),
    kind TEXT NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    source TEXT NOT NULL CHECK (source IN ('sms', 'page', 'staff')),
    at TIMESTAMP NOT NULL
);
INSERT INTO contact_events_new (id, contact_id, kind, source, at) SELECT id, contact_id, kind, source, at FROM contact_events;
DELETE FROM sqlite_sequence WHERE name = 'contact_events_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'contact_events_new', seq FROM sqlite_sequence WHERE name = 'contact_events';
DROP TABLE contact_events;
ALTER TABLE contact_events_new RENAME TO contact_events;
CREATE INDEX contact_events_contact ON contact_events (contact_id, id);
