"""How large a trade may be: share of equity, leverage, stop distance, bracket, lattice."""
