"""Screens over the bars of candles, of a store and of a live engine."""
