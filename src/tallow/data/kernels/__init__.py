"""Compiled passes over rows: bars, buckets, ticks and live updates."""
