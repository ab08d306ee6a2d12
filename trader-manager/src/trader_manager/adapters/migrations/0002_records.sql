-- What traders did. A world is one market of the venue; its times are epoch ms of that market.
-- Records outlive their trader, and an arena's traders are in no table, so nothing refers to them.
-- NaN and Infinity are numbers to PostgreSQL and above all others: hence the upper bounds.

CREATE TABLE trader_trades (
    world           text NOT NULL,
    trader_id       text NOT NULL,
    tid             bigint NOT NULL,
    oid             bigint NOT NULL,
    time_ms         bigint NOT NULL,
    coin            text NOT NULL,
    side            smallint NOT NULL CHECK (side IN (1, -1)),
    px              numeric NOT NULL CHECK (px > 0 AND px < 'Infinity'),
    sz              numeric NOT NULL CHECK (sz > 0 AND sz < 'Infinity'),
    start_position  numeric NOT NULL CHECK (abs(start_position) < 'Infinity'),
    closed_pnl      numeric NOT NULL CHECK (abs(closed_pnl) < 'Infinity'),
    fee             numeric NOT NULL CHECK (abs(fee) < 'Infinity'),
    is_taker        boolean NOT NULL,
    direction       text NOT NULL,
    cloid           text,
    PRIMARY KEY (world, trader_id, tid)
);

CREATE INDEX trader_trades_by_time ON trader_trades (world, trader_id, time_ms, tid);

-- The latest positions of each trader, with the time they are of.
CREATE TABLE trader_positions (
    world      text NOT NULL,
    trader_id  text NOT NULL,
    time_ms    bigint NOT NULL,
    positions  jsonb NOT NULL,         -- numbers are texts, with the venue's decimals
    PRIMARY KEY (world, trader_id)
);

-- Micro-USD.
CREATE TABLE equity (
    world         text NOT NULL,
    trader_id     text NOT NULL,
    time_ms       bigint NOT NULL,
    equity        bigint NOT NULL,
    net_deposits  bigint NOT NULL,
    fees          bigint NOT NULL,
    funding       bigint NOT NULL,
    llm_cost      bigint NOT NULL,
    notional      bigint NOT NULL,
    llm_tokens    bigint NOT NULL,
    PRIMARY KEY (world, trader_id, time_ms)
);

CREATE TABLE decisions (
    world      text NOT NULL,
    trader_id  text NOT NULL,
    number     bigint NOT NULL,
    time_ms    bigint NOT NULL,
    body       jsonb NOT NULL,
    PRIMARY KEY (world, trader_id, number)
);
