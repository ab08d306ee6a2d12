"""The wire of the live venue."""
