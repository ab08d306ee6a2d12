"""The store in PostgreSQL."""

from trader_manager.adapters.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
