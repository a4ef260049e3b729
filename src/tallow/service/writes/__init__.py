"""The writes of ``/v1``: candles, corrections and deletions, durable when they are answered.

The way of a request: `bodies` reads and unpacks it within bounds, `decoding` makes candles of it,
`writing` does it once under its key, `receipts` says what became of its rows; `routes` has the
addresses.
"""
