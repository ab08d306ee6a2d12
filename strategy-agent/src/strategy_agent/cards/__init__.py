"""The card of a model: what it was taught, how good it is, and whether there is an edge."""
