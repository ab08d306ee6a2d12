-- Funding of a sample is negative when paid, as that of a payment is.

UPDATE equity SET funding = -funding WHERE funding <> 0;
