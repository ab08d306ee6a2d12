-- Traders as they are wanted, who may run them, and ends of runs that nobody asked for.

CREATE TABLE traders (
    trader_id   text PRIMARY KEY,
    spec        jsonb NOT NULL,        -- as written, secrets are names: ${ENV}
    account_id  text NOT NULL,
    desired     text NOT NULL CHECK (desired IN ('running', 'stopped')),
    runtime     text NOT NULL,
    generation  bigint NOT NULL CHECK (generation > 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    removed_at  timestamptz
);

CREATE UNIQUE INDEX one_trader_an_account ON traders (account_id) WHERE removed_at IS NULL;

-- A row stays when nobody holds the lease, so that its fence only ever rises.
CREATE TABLE leases (
    trader_id   text PRIMARY KEY REFERENCES traders,
    holder      text,                  -- null: nobody
    fence       bigint NOT NULL CHECK (fence > 0),
    expires_at  timestamptz NOT NULL
);

CREATE TABLE crashes (
    trader_id   text NOT NULL REFERENCES traders,
    run_id      text NOT NULL,
    generation  bigint NOT NULL,
    reason      text NOT NULL,
    crashed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trader_id, run_id)
);

CREATE INDEX crashes_by_time ON crashes (trader_id, crashed_at);
