"""Driving the loop of a trader."""
