"""What the live venue does: one way out for every action."""
