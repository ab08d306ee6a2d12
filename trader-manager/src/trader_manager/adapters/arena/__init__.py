"""The arena's edges: the virtual exchange's commands, and the folder of a result."""
