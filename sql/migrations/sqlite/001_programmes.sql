-- What a programme is, where it runs, who works there. The files of postgres/
-- and sqlite/ are numbered alike and make the same tables and columns; a test
-- holds them together. Migrations only go forward: a mistake is mended by the
-- next number.
-- A TIMESTAMP is text in UTC, 2006-01-02 15:04:05.999999+00:00 with trailing
-- zeros cut; such texts compare as their times do. A BOOLEAN is 0 or 1.

-- +goose Up
CREATE TABLE programmes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    brand TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    discounts_on BOOLEAN NOT NULL,
    friend_discount_percent INTEGER NOT NULL CHECK (friend_discount_percent BETWEEN 0 AND 100),
    friend_discount_kopecks INTEGER NOT NULL CHECK (friend_discount_kopecks >= 0),
    trial_discount_percent INTEGER NOT NULL CHECK (trial_discount_percent BETWEEN 0 AND 100),
    trial_discount_kopecks INTEGER NOT NULL CHECK (trial_discount_kopecks >= 0),
    referral_uses INTEGER NOT NULL CHECK (referral_uses >= 1),
    referral_days INTEGER NOT NULL CHECK (referral_days >= 0),
    trial_days INTEGER NOT NULL CHECK (trial_days >= 0),
    created_at TIMESTAMP NOT NULL,
    -- A discount is a share or a sum; both at once would leave the till to guess.
    CHECK (friend_discount_percent = 0 OR friend_discount_kopecks = 0),
    CHECK (trial_discount_percent = 0 OR trial_discount_kopecks = 0)
);

CREATE TABLE stores (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    name TEXT NOT NULL,
    city TEXT NOT NULL,
    address TEXT NOT NULL,
    time_zone TEXT NOT NULL CHECK (time_zone <> ''),
    active BOOLEAN NOT NULL
);

CREATE TABLE staff (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    login TEXT NOT NULL UNIQUE CHECK (login <> ''),
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('advisor', 'supervisor', 'administrator')),
    language TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE staff_stores (
    staff_id INTEGER NOT NULL REFERENCES staff (id),
    store_id INTEGER NOT NULL REFERENCES stores (id),
    PRIMARY KEY (staff_id, store_id)
);
CREATE INDEX staff_stores_store ON staff_stores (store_id);

CREATE TABLE products (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    name TEXT NOT NULL,
    price INTEGER NOT NULL CHECK (price >= 0), -- kopecks
    active BOOLEAN NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX products_programme ON products (programme_id, position);

CREATE TABLE questions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    title TEXT NOT NULL,   -- JSON: language -> text
    options TEXT NOT NULL, -- JSON: [{value, title}]; [] is free text
    active BOOLEAN NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX questions_programme ON questions (programme_id, position);

-- A published text is never changed: consents point at it as their proof.
CREATE TABLE consent_documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    programme_id INTEGER NOT NULL REFERENCES programmes (id),
    kind TEXT NOT NULL CHECK (kind IN ('personal_data', 'communications')),
    language TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL,
    published_at TIMESTAMP NOT NULL,
    UNIQUE (programme_id, kind, language, version)
);
