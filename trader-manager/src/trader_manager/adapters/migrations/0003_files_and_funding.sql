-- The traders file that brought a trader, empty for none; and whether it is in there no more.

ALTER TABLE traders
    ADD COLUMN origin  text NOT NULL DEFAULT '',
    ADD COLUMN leaving boolean NOT NULL DEFAULT false;

-- Funding payments one by one; the venue pays once a coin at a time.

CREATE TABLE trader_funding (
    world      text NOT NULL,
    trader_id  text NOT NULL,
    time_ms    bigint NOT NULL,
    coin       text NOT NULL,
    received   numeric NOT NULL CHECK (abs(received) < 'Infinity'),
    PRIMARY KEY (world, trader_id, time_ms, coin)
);
