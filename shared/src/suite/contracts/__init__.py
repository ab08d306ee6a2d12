"""Wire contracts: strict, frozen values that every process encodes and decodes alike."""
