"""Reading: whatever holds candles becomes checked candle columns."""
