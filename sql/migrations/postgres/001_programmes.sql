-- What a programme is, where it runs, who works there. The files of postgres/
-- and sqlite/ are numbered alike and make the same tables and columns; a test
-- holds them together. Migrations only go forward: a mistake is mended by the
-- next number.

-- +goose Up
CREATE TABLE programmes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    brand text NOT NULL,
    active boolean NOT NULL,
    discounts_on boolean NOT NULL,
    friend_discount_percent integer NOT NULL CHECK (friend_discount_percent BETWEEN 0 AND 100),
    friend_discount_kopecks bigint NOT NULL CHECK (friend_discount_kopecks >= 0),
    trial_discount_percent integer NOT NULL CHECK (trial_discount_percent BETWEEN 0 AND 100),
    trial_discount_kopecks bigint NOT NULL CHECK (trial_discount_kopecks >= 0),
    referral_uses integer NOT NULL CHECK (referral_uses >= 1),
    referral_days integer NOT NULL CHECK (referral_days >= 0),
    trial_days integer NOT NULL CHECK (trial_days >= 0),
    created_at timestamptz NOT NULL,
    -- A discount is a share or a sum; both at once would leave the till to guess.
    CHECK (friend_discount_percent = 0 OR friend_discount_kopecks = 0),
    CHECK (trial_discount_percent = 0 OR trial_discount_kopecks = 0)
);

CREATE TABLE stores (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    name text NOT NULL,
    city text NOT NULL,
    address text NOT NULL,
    time_zone text NOT NULL CHECK (time_zone <> ''),
    active boolean NOT NULL
);

CREATE TABLE staff (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login text NOT NULL UNIQUE CHECK (login <> ''),
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('advisor', 'supervisor', 'administrator')),
    language text NOT NULL,
    password_hash text NOT NULL,
    active boolean NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE staff_stores (
    staff_id bigint NOT NULL REFERENCES staff (id),
    store_id bigint NOT NULL REFERENCES stores (id),
    PRIMARY KEY (staff_id, store_id)
);
CREATE INDEX staff_stores_store ON staff_stores (store_id);

CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    name text NOT NULL,
    price bigint NOT NULL CHECK (price >= 0), -- kopecks
    active boolean NOT NULL,
    position integer NOT NULL
);
CREATE INDEX products_programme ON products (programme_id, position);

CREATE TABLE questions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    title text NOT NULL,   -- JSON: language -> text
    options text NOT NULL, -- JSON: [{value, title}]; [] is free text
    active boolean NOT NULL,
    position integer NOT NULL
);
CREATE INDEX questions_programme ON questions (programme_id, position);

-- A published text is never changed: consents point at it as their proof.
CREATE TABLE consent_documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme_id bigint NOT NULL REFERENCES programmes (id),
    kind text NOT NULL CHECK (kind IN ('personal_data', 'communications')),
    language text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    title text NOT NULL,
    body text NOT NULL,
    hash text NOT NULL,
    published_at timestamptz NOT NULL,
    UNIQUE (programme_id, kind, language, version)
);
