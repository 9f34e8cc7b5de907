-- What limits on SMS codes are rebuilt from when Redis has lost them, who
-- lifted one, and how a customer types the code on their own phone.

-- +goose Up
ALTER TABLE code_attempts ADD COLUMN phone_key TEXT NOT NULL DEFAULT '';   -- keyed hash of the phone; emptied when no limit needs it any more
ALTER TABLE code_attempts ADD COLUMN address_key TEXT NOT NULL DEFAULT ''; -- keyed hash of the client's address
ALTER TABLE code_attempts ADD COLUMN entry TEXT NOT NULL DEFAULT 'advisor' CHECK (entry IN ('advisor', 'self'));
ALTER TABLE code_attempts ADD COLUMN limit_met TEXT NOT NULL DEFAULT '';   -- the limit that refused it, or that it used up; an open list
CREATE INDEX code_attempts_at ON code_attempts (at);
CREATE INDEX code_attempts_limit ON code_attempts (store_id, id) WHERE limit_met <> '';

-- Rows are only added. subject names whose limit it was, as in Redis:
-- "phone:…", "staff:7", "store:3", "address:…".
CREATE TABLE limit_lifts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE CHECK (request_id <> ''),
    attempt_id INTEGER NOT NULL REFERENCES code_attempts (id), -- at which the limit was met
    limit_name TEXT NOT NULL CHECK (limit_name <> ''),
    subject TEXT NOT NULL CHECK (subject <> ''),
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    reason TEXT NOT NULL CHECK (reason <> ''),
    at TIMESTAMP NOT NULL
);
CREATE INDEX limit_lifts_at ON limit_lifts (at);

ALTER TABLE promo_refusals ADD COLUMN address_key TEXT NOT NULL DEFAULT '';
CREATE INDEX promo_refusals_at ON promo_refusals (at);

ALTER TABLE stores ADD COLUMN self_entry BOOLEAN NOT NULL DEFAULT FALSE; -- true: only the customer may type the code

ALTER TABLE visits ADD COLUMN self_token TEXT NOT NULL DEFAULT '';          -- of the customer's own page for the code; random
ALTER TABLE visits ADD COLUMN code_deferred BOOLEAN NOT NULL DEFAULT FALSE; -- the customer verifies later, by themselves
CREATE UNIQUE INDEX visits_self_token ON visits (self_token) WHERE self_token <> '';
