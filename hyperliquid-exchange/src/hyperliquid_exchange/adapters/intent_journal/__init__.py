"""Intents on disk."""

from hyperliquid_exchange.adapters.intent_journal.journal import IntentJournal, JournalRules

__all__ = ["IntentJournal", "JournalRules"]
