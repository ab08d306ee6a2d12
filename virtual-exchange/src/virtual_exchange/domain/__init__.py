"""Values of a world, without I/O."""
