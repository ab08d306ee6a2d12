"""Whether a trader may begin with real money: what only its agent knows, lines 42 to 46.

A check is a function of evidence that somebody else has gathered: it asks nobody and decides alone.
Numbers are those of the checklist in `docs/runbooks/go-live.md`.
"""
