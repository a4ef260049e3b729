"""The store: a log of candle revisions, in files or in a database, that loses nothing."""
