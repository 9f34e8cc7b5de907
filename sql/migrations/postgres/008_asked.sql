-- What Redis is asked to judge stands in the database first, so that nothing
-- that it has counted can be lost. A phone is verified for one link between
-- visit and contact. A no counts for a contact when it came from their phone.

-- +goose Up
ALTER TABLE code_attempts
    ADD COLUMN link text NOT NULL DEFAULT '',        -- of the visit when it was asked: whose challenge this is
    ADD COLUMN request_key text NOT NULL DEFAULT '', -- hash of the form that asked; empty where it is to be judged anew
    ADD COLUMN at_work int NOT NULL DEFAULT 1; -- requests with this form that may hear a verdict, while it is asked
CREATE UNIQUE INDEX code_attempts_request ON code_attempts (visit_id, request_key) WHERE request_key <> '';
CREATE INDEX code_attempts_asked ON code_attempts (visit_id, id) WHERE verdict = 'asked';
CREATE INDEX promo_refusals_asked ON promo_refusals (id) WHERE reason = 'asked';

ALTER TABLE visits ADD COLUMN link text NOT NULL DEFAULT ''; -- drawn with each contact and each new proof of the phone; empty: from before

-- Until now every no has counted, and goes on counting.
ALTER TABLE consents
    ADD COLUMN holds boolean NOT NULL DEFAULT false, -- a no for everything of the contact, whatever becomes of its visit
    DROP CONSTRAINT consents_source_check,
    ADD CONSTRAINT consents_source_check CHECK (source IN ('visit', 'sms', 'page', 'staff'));
UPDATE consents SET holds = NOT given;

-- What staff took back for somebody who asked them to. Rows are only added.
CREATE TABLE withdrawals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id text NOT NULL UNIQUE CHECK (request_id <> ''),
    contact_id bigint REFERENCES contacts (id), -- NULL: nobody we know
    staff_id bigint NOT NULL REFERENCES staff (id),
    reason text NOT NULL,                       -- in the words of staff; a dash once its contact is gone
    at timestamptz NOT NULL
);
CREATE INDEX withdrawals_contact ON withdrawals (contact_id);

-- What customers asked for by themselves, or had staff do for them.
ALTER TABLE contact_events
    DROP CONSTRAINT contact_events_source_check,
    ADD CONSTRAINT contact_events_source_check CHECK (source IN ('sms', 'page', 'staff'));
