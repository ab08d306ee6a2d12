"""Market structure as numbers: what a model of closed bars sees, and nothing of the future."""
