"""Candles: reading, checking, aggregating, writing."""
