"""What the service does: follow the money, share it out, tell."""
