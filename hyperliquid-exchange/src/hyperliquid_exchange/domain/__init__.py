"""Values and rules of the live venue: what may leave, and when."""
