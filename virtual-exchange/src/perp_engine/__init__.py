"""The market as a deterministic state machine: integers in, events out, no clock and no I/O."""
