-- What the program draws once and every instance must share: the key of its
-- keyed hashes, unless SECRET_KEY names one.

-- +goose Up
CREATE TABLE secrets (
    name text PRIMARY KEY,
    value text NOT NULL CHECK (value <> '')
);

