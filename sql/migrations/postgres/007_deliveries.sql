-- What becomes of a message at the gateway, the texts that administrators
-- write, what customers answer, and their own page.

-- +goose Up
-- A code is a message too, without its text; an answer to an incoming SMS and
-- a trial sending belong to no visit. What was "sent" was taken by the gateway
-- and no more is known of it; what "failed" was not delivered.
ALTER TABLE messages
    DROP CONSTRAINT messages_state_check,
    DROP CONSTRAINT messages_check,
    ALTER COLUMN contact_id DROP NOT NULL,
    ALTER COLUMN visit_id DROP NOT NULL,
    ALTER COLUMN store_id DROP NOT NULL,
    ADD COLUMN channel text NOT NULL DEFAULT 'programme' CHECK (channel IN ('code', 'programme', 'service')),
    ADD COLUMN challenge_id text NOT NULL DEFAULT '',         -- of a code
    ADD COLUMN template_version integer NOT NULL DEFAULT 0 CHECK (template_version >= 0), -- 0: the text that the program brings
    ADD COLUMN parts integer NOT NULL DEFAULT 0 CHECK (parts >= 0), -- SMS that are paid for
    ADD COLUMN price bigint NOT NULL DEFAULT 0 CHECK (price >= 0), -- kopecks, all parts together
    ADD COLUMN gateway_id text NOT NULL DEFAULT '',           -- the gateway's own name for it
    ADD COLUMN attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- at which no gateway could be reached
    ADD COLUMN sending_at timestamptz,                        -- claimed
    ADD COLUMN accepted_at timestamptz;                       -- taken by the gateway
ALTER TABLE messages ALTER COLUMN channel DROP DEFAULT;
UPDATE messages SET sending_at = settled_at WHERE state IN ('sending', 'sent', 'failed', 'unknown');
UPDATE messages SET accepted_at = settled_at WHERE state = 'sent';
UPDATE messages SET settled_at = NULL WHERE state IN ('sending', 'sent');
UPDATE messages SET state = 'accepted' WHERE state = 'sent';
UPDATE messages SET state = 'undelivered' WHERE state = 'failed';
ALTER TABLE messages
    ADD CONSTRAINT messages_state_check CHECK (state IN
        ('scheduled', 'sending', 'accepted', 'delivered', 'undelivered', 'unknown', 'cancelled', 'suppressed')),
    ADD CONSTRAINT messages_settled_check CHECK ((state IN ('scheduled', 'sending', 'accepted')) = (settled_at IS NULL)),
    ADD CONSTRAINT messages_reason_check CHECK (state NOT IN ('unknown', 'cancelled', 'suppressed') OR reason <> ''),
    ADD CONSTRAINT messages_code_check CHECK (channel <> 'code' OR body = ''),
    ADD CONSTRAINT messages_programme_check CHECK (channel <> 'programme' OR
        (contact_id IS NOT NULL AND visit_id IS NOT NULL AND store_id IS NOT NULL AND promo_code_id IS NOT NULL));
DROP INDEX messages_contact;
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
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id bigint NOT NULL REFERENCES messages (id),
    gateway text NOT NULL,
    report_key text NOT NULL CHECK (report_key <> ''),
    state text NOT NULL CHECK (state IN ('', 'accepted', 'delivered', 'undelivered')), -- empty: says nothing that we know
    status text NOT NULL, -- the gateway's own word for it
    detail text NOT NULL, -- fields that we do not know, JSON
    at timestamptz NOT NULL,
    UNIQUE (message_id, report_key)
);

-- A text is never changed: messages name the version that they were made of.
CREATE TABLE message_templates (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    kind text NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    language text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    body text NOT NULL CHECK (body <> ''),
    staff_id bigint NOT NULL REFERENCES staff (id),
    created_at timestamptz NOT NULL,
    UNIQUE (programme_id, kind, language, version)
);

ALTER TABLE contacts
    ADD COLUMN page_token text NOT NULL DEFAULT '', -- of the customer's page; random, empty until a message carries it
    ADD COLUMN erased_at timestamptz;               -- the phone is a made-up one from then on
CREATE UNIQUE INDEX contacts_page_token ON contacts (page_token) WHERE page_token <> '';

-- A consent may be taken back without an advisor: by SMS or on the own page.
ALTER TABLE consents
    ALTER COLUMN visit_id DROP NOT NULL,
    ALTER COLUMN store_id DROP NOT NULL,
    ALTER COLUMN staff_id DROP NOT NULL,
    ADD COLUMN source text NOT NULL DEFAULT 'visit' CHECK (source IN ('visit', 'sms', 'page')),
    ADD CHECK ((source = 'visit') = (visit_id IS NOT NULL)),
    ADD CHECK ((source = 'visit') = (store_id IS NOT NULL)),
    ADD CHECK ((source = 'visit') = (staff_id IS NOT NULL)),
    ADD CHECK (source = 'visit' OR NOT given); -- a yes is only given to an advisor

-- SMS from customers.
CREATE TABLE incoming_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway text NOT NULL,
    gateway_id text NOT NULL CHECK (gateway_id <> ''), -- the same message again has the same one
    phone text NOT NULL,                               -- of the sender; empty once it was erased
    contact_id bigint REFERENCES contacts (id),        -- NULL: nobody we know
    store_id bigint REFERENCES stores (id),            -- of the contact's last visit
    body text NOT NULL,
    word text NOT NULL CHECK (word IN ('', 'stop', 'start')), -- what it was understood as
    at timestamptz NOT NULL,
    seen_at timestamptz,
    seen_by bigint REFERENCES staff (id),
    UNIQUE (gateway, gateway_id)
);
CREATE INDEX incoming_messages_contact ON incoming_messages (contact_id, id);
CREATE INDEX incoming_messages_store ON incoming_messages (store_id, id);
CREATE INDEX incoming_messages_phone ON incoming_messages (phone);

-- What customers asked for by themselves. Rows are only added.
CREATE TABLE contact_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contact_id bigint NOT NULL REFERENCES contacts (id),
    kind text NOT NULL CHECK (kind <> ''), -- an open list, so no enumeration
    source text NOT NULL CHECK (source IN ('sms', 'page')),
    at timestamptz NOT NULL
);
CREATE INDEX contact_events_contact ON contact_events (contact_id, id);
