"""The money over all traders: who gets how much, and the steps there."""
