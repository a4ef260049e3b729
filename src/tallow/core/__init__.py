"""Declarations, specs, timeframes, calendars, errors and limits."""
