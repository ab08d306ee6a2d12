"""Rules of the fleet: pure functions over plain values."""
