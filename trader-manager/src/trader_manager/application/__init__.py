"""What the service does: a fleet of traders, its supervisor, schedulers and comparison."""
