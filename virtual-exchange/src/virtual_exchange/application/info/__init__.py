"""Reads in the venue's own shapes: what `POST /info` answers and the WebSocket tells."""
