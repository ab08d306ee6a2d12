"""Traders that ask a language model: the question, the reading of its answer, and the mind."""
