"""Which candles there should be, which there are, and which are missing."""
