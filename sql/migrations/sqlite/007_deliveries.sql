-- What becomes of a message at the gateway, the texts that administrators
-- write, what customers answer, and their own page.

-- SQLite cannot change a CHECK or a NOT NULL: messages and consents are made
-- anew. No other table refers to them, so one transaction is enough.

-- +goose Up
-- A code is a message too, without its text; an answer to an incoming SMS and
-- a trial sending belong to no visit. What was "sent" was taken by the gateway
-- and no more is known of it; what "failed" was not delivered.
CREATE TABLE messages_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    contact_id INTEGER REFERENCES contacts (id),
    visit_id INTEGER REFERENCES visits (id),
    store_id INTEGER REFERENCES stores (id),
    promo_code_id INTEGER REFERENCES promo_codes (id),
    language TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('scheduled', 'sending', 'accepted', 'delivered', 'undelivered', 'unknown', 'cancelled', 'suppressed')),
    reason TEXT NOT NULL,
    gateway TEXT NOT NULL,
    due_at TIMESTAMP NOT NULL,
    settled_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('code', 'programme', 'service')),
    challenge_id TEXT NOT NULL DEFAULT '',         -- of a code
    template_version INTEGER NOT NULL DEFAULT 0 CHECK (template_version >= 0), -- 0: the text that the program brings
    parts INTEGER NOT NULL DEFAULT 0 CHECK (parts >= 0), -- SMS that are paid for
    price INTEGER NOT NULL DEFAULT 0 CHECK (price >= 0), -- kopecks, all parts together
    gateway_id TEXT NOT NULL DEFAULT '',           -- the gateway's own name for it
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- at which no gateway could be reached
    sending_at TIMESTAMP,                          -- claimed
    accepted_at TIMESTAMP,                         -- taken by the gateway
    CHECK ((state IN ('scheduled', 'sending', 'accepted')) = (settled_at IS NULL)),
    CHECK (state NOT IN ('unknown', 'cancelled', 'suppressed') OR reason <> ''),
    CHECK (channel <> 'code' OR body = ''),
    CHECK (channel <> 'programme' OR
        (contact_id IS NOT NULL AND visit_id IS NOT NULL AND store_id IS NOT NULL AND promo_code_id IS NOT NULL))
);
INSERT INTO messages_new (id, kind, programme_id, contact_id, visit_id, store_id, promo_code_id, language, body, state, reason, gateway,
    due_at, settled_at, created_at, channel, sending_at, accepted_at)
SELECT id, kind, programme_id, contact_id, visit_id, store_id, promo_code_id, language, body,
    CASE state WHEN 'sent' THEN 'accepted' WHEN 'failed' THEN 'undelivered' ELSE state END, reason, gateway,
    due_at, CASE WHEN state IN ('sending', 'sent') THEN NULL ELSE settled_at END, created_at, 'programme',
    CASE WHEN state IN ('sending', 'sent', 'failed', 'unknown') THEN settled_at END,
    CASE WHEN state = 'sent' THEN settled_at END FROM messages;
-- Numbers that were given out once are not given out again.
DELETE FROM sqlite_sequence WHERE name = 'messages_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'messages_new', seq FROM sqlite_sequence WHERE name = 'messages';
DROP TABLE messages;
ALTER TABLE messages_new RENAME TO messages;
CREATE INDEX messages_visit ON messages (visit_id, id);
CREATE INDEX messages_contact ON messages (contact_id, id);
CREATE INDEX messages_state ON messages (state, id);
CREATE INDEX messages_store ON messages (store_id, id);
CREATE INDEX messages_promo_code ON messages (promo_code_id, kind) WHERE promo_code_id IS NOT NULL;
CREATE INDEX messages_gateway_id ON messages (gateway, gateway_id) WHERE gateway_id <> '';
CREATE INDEX messages_sending ON messages (sending_at) WHERE state IN ('sending', 'accepted');
CREATE INDEX messages_due ON messages (due_at);

-- What gateways told of messages. Rows are only added; the same report again
-- has the same key.
CREATE TABLE delivery_reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id INTEGER NOT NULL REFERENCES messages (id),
    gateway TEXT NOT NULL,
    report_key TEXT NOT NULL CHECK (report_key <> ''),
    state TEXT NOT NULL CHECK (state IN ('', 'accepted', 'delivered', 'undelivered')), -- empty: says nothing that we know
    status TEXT NOT NULL, -- the gateway's own word for it
    detail TEXT NOT NULL, -- fields that we do not know, JSON
    at TIMESTAMP NOT NULL,
    UNIQUE (message_id, report_key)
);

-- A text is never changed: messages name the version that they were made of.
CREATE TABLE message_templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    kind TEXT NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    language TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    body TEXT NOT NULL CHECK (body <> ''),
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    created_at TIMESTAMP NOT NULL,
    UNIQUE (programme_id, kind, language, version)
);

ALTER TABLE contacts ADD COLUMN page_token TEXT NOT NULL DEFAULT ''; -- of the customer's page; random, empty until a message carries it
ALTER TABLE contacts ADD COLUMN erased_at TIMESTAMP;                 -- the phone is a made-up one from then on
CREATE UNIQUE INDEX contacts_page_token ON contacts (page_token) WHERE page_token <> '';

-- A consent may be taken back without an advisor: by SMS or on the own page.
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
    source TEXT NOT NULL DEFAULT 'visit' CHECK (source IN ('visit', 'sms', 'page')),
    CHECK ((source = 'visit') = (visit_id IS NOT NULL)),
    CHECK ((source = 'visit') = (store_id IS NOT NULL)),
    CHECK ((source = 'visit') = (staff_id IS NOT NULL)),
    CHECK (source = 'visit' OR NOT given) -- a yes is only given to an advisor
);
INSERT INTO consents_new (id, visit_id, contact_id, store_id, staff_id, document_id, hash, given, at, challenge_id)
SELECT id, visit_id, contact_id, store_id, staff_id, document_id, hash, given, at, challenge_id FROM consents;
DELETE FROM sqlite_sequence WHERE name = 'consents_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'consents_new', seq FROM sqlite_sequence WHERE name = 'consents';
DROP TABLE consents;
ALTER TABLE consents_new RENAME TO consents;
CREATE INDEX consents_visit ON consents (visit_id, id);
CREATE INDEX consents_contact ON consents (contact_id, id);

-- SMS from customers.
CREATE TABLE incoming_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    gateway_id TEXT NOT NULL CHECK (gateway_id <> ''), -- the same message again has the same one
    phone TEXT NOT NULL,                               -- of the sender; empty once it was erased
    contact_id INTEGER REFERENCES contacts (id),       -- NULL: nobody we know
    store_id INTEGER REFERENCES stores (id),           -- of the contact's last visit
    body TEXT NOT NULL,
    word TEXT NOT NULL CHECK (word IN ('', 'stop', 'start')), -- what it was understood as
    at TIMESTAMP NOT NULL,
    seen_at TIMESTAMP,
    seen_by INTEGER REFERENCES staff (id),
    UNIQUE (gateway, gateway_id)
);
CREATE INDEX incoming_messages_contact ON incoming_messages (contact_id, id);
CREATE INDEX incoming_messages_store ON incoming_messages (store_id, id);
CREATE INDEX incoming_messages_phone ON incoming_messages (phone);

-- What customers asked for by themselves. Rows are only added.
CREATE TABLE contact_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact_id INTEGER NOT NULL REFERENCES contacts (id),
    kind TEXT NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    source TEXT NOT NULL CHECK (source IN ('sms', 'page')),
    at TIMESTAMP NOT NULL
);
CREATE INDEX contact_events_contact ON contact_events (contact_id, id);
