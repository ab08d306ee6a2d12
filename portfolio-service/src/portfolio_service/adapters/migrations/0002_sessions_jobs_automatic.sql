-- Logins of browsers by hashes, backtests that were begun here, and rebalances that nobody asks for.

CREATE TABLE sessions (
    digest      bytea PRIMARY KEY,
    parent      bytea NOT NULL,
    role        text NOT NULL,
    expires_ms  bigint NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE jobs (
    job_id      text PRIMARY KEY,
    begun_ms    bigint NOT NULL,
    body        jsonb NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- When plans are made by themselves, what the last one was made for, and which one is to be run.
CREATE TABLE automatic (
    is_only     boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    daily_at    integer CHECK (daily_at >= 0 AND daily_at < 1440),
    on_change   boolean NOT NULL DEFAULT false,
    last_day    bigint,
    members     jsonb,
    plan_id     text,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
