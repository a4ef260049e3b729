"""Many instruments, several timeframes, while the market is open."""
