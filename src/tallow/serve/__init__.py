"""The outside world: today the command line."""
