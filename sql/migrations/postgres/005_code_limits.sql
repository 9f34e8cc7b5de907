-- What limits on SMS codes are rebuilt from when Redis has lost them, who
-- lifted one, and how a customer types the code on their own phone.

-- +goose Up
ALTER TABLE code_attempts
    ADD COLUMN phone_key text NOT NULL DEFAULT '',   -- keyed hash of the phone; emptied when no limit needs it any more
    ADD COLUMN address_key text NOT NULL DEFAULT '', -- keyed hash of the client's address
    ADD COLUMN entry text NOT NULL DEFAULT 'advisor' CHECK (entry IN ('advisor', 'self')),
    ADD COLUMN limit_met text NOT NULL DEFAULT '';   -- the limit that refused it, or that it used up; an open list
CREATE INDEX code_attempts_at ON code_attempts (at);
CREATE INDEX code_attempts_limit ON code_attempts (store_id, id) WHERE limit_met <> '';

-- Rows are only added. subject names whose limit it was, as in Redis:
-- "phone:…", "staff:7", "store:3", "address:…".
CREATE TABLE limit_lifts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id text NOT NULL UNIQUE CHECK (request_id <> ''),
    attempt_id bigint NOT NULL REFERENCES code_attempts (id), -- at which the limit was met
    limit_name text NOT NULL CHECK (limit_name <> ''),
    subject text NOT NULL CHECK (subject <> ''),
    staff_id bigint NOT NULL REFERENCES staff (id),
    reason text NOT NULL CHECK (reason <> ''),
    at timestamptz NOT NULL
);
CREATE INDEX limit_lifts_at ON limit_lifts (at);

ALTER TABLE promo_refusals ADD COLUMN address_key text NOT NULL DEFAULT '';
CREATE INDEX promo_refusals_at ON promo_refusals (at);

ALTER TABLE stores ADD COLUMN self_entry boolean NOT NULL DEFAULT false; -- true: only the customer may type the code

ALTER TABLE visits
    ADD COLUMN self_token text NOT NULL DEFAULT '',       -- of the customer's own page for the code; random
    ADD COLUMN code_deferred boolean NOT NULL DEFAULT false; -- the customer verifies later, by themselves
CREATE UNIQUE INDEX visits_self_token ON visits (self_token) WHERE self_token <> '';
