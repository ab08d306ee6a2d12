"""How positions end: seven conditions in strict order, and a strategy's own rules."""
