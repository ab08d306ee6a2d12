"""Collecting: closed bars out of live streams, durable at once, with nothing missing unseen."""
