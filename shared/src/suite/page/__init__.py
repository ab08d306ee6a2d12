"""Pages that need nothing else: one look, one way to draw, for all reports of the suite."""
