"""What the collector does, in terms of ports."""
