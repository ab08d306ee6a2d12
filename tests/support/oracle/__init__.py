"""A second implementation of docs/engine.md in exact fractions, to compare the engine with."""

from tests.support.oracle.oracle import Oracle

__all__ = ["Oracle"]
