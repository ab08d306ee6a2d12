"""The service chassis: what every process of the suite does alike, and the only part with I/O.

Nothing is imported here; each module is imported by those who need it, so that a client of the
clock does not pay for the web stack.
"""
