"""Worlds of simulated money in a live market."""
