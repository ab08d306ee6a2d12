"""Whether live trading may begin: a list of checks, each with its reason and what to do.

A check is a function of evidence that somebody else has gathered: it asks nobody and decides alone,
so that each can be shown to fail. Numbers are those of the checklist in `docs/runbooks/go-live.md`.
"""
