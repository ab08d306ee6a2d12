-- Who may use how much, and plans that change it. Money is in micro-USD.

CREATE TABLE limits (
    is_only        boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    method         text NOT NULL,
    weight_max     double precision NOT NULL CHECK (weight_max > 0 AND weight_max <= 1),
    reserve_min    double precision NOT NULL CHECK (reserve_min >= 0 AND reserve_min < 1),
    drawdown_stop  double precision NOT NULL CHECK (drawdown_stop > 0 AND drawdown_stop <= 1),
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Who is not here may use the whole of its account.
CREATE TABLE allotments (
    trader_id   text PRIMARY KEY,
    usd         bigint NOT NULL CHECK (usd >= 0),
    plan_id     text NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE plans (
    plan_id     text PRIMARY KEY,
    status      text NOT NULL CHECK (status IN ('planned', 'running', 'done', 'outdated')),
    note        text NOT NULL DEFAULT '',
    body        jsonb NOT NULL,
    made_ms     bigint NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE UNIQUE INDEX one_plan_runs ON plans (status) WHERE status = 'running';
CREATE INDEX plans_by_time ON plans (made_ms);

CREATE TABLE steps (
    plan_id      text NOT NULL REFERENCES plans,
    number       integer NOT NULL CHECK (number > 0),
    key          text NOT NULL,
    trader_id    text NOT NULL,
    from_usd     bigint NOT NULL,
    to_usd       bigint NOT NULL,
    allotted_at  timestamptz,
    told_at      timestamptz CHECK (told_at IS NULL OR allotted_at IS NOT NULL),
    PRIMARY KEY (plan_id, number)
);

-- What was last known of each trader, for a start while the manager is away.
CREATE TABLE known (
    trader_id   text PRIMARY KEY,
    body        jsonb NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
