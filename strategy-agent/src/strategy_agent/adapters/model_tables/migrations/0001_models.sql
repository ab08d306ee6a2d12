-- Models of traders by shelf: the highest place is the one in use. What the files hold is theirs.
CREATE TABLE models (
    shelf text NOT NULL,
    name text NOT NULL,
    place bigint NOT NULL,
    PRIMARY KEY (shelf, name),
    UNIQUE (shelf, place)
);

CREATE TABLE model_files (
    shelf text NOT NULL,
    name text NOT NULL,
    file text NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (shelf, name, file),
    FOREIGN KEY (shelf, name) REFERENCES models ON DELETE CASCADE
);

-- One line for each training that came to its end; labelled trades, a part each time some became
-- known. The key is of whoever wrote it, so that a write may be repeated.
CREATE TABLE model_lines (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shelf text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('attempt', 'trades')),
    key text NOT NULL UNIQUE,
    content bytea NOT NULL
);

CREATE INDEX model_lines_of ON model_lines (shelf, kind, number);
