"""Markets of worlds: loaded, shared, masked."""
