-- Who has a signer. The epoch grows with every owner: who still has an earlier one signs no more.
CREATE TABLE signers (
    signer text PRIMARY KEY,
    epoch bigint NOT NULL,
    pid bigint NOT NULL,
    host text NOT NULL,
    since_ms bigint NOT NULL,
    lease_s double precision NOT NULL,
    released boolean NOT NULL
);
