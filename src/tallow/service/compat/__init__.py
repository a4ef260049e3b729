"""The API of the system that Tallow replaces, so that its front end needs no change.

1. A request finds its route - `old_api`, `routes` - among those that are answered, and those that
   are no part of analytics - `elsewhere`.
2. What the old services computed is asked of Tallow - `old_bars`, `old_days` - and filtered -
   `pipeline`; the dashboard of band widths is kept in memory - `board`, `board_rules`.
3. Answers have the old forms - `envelopes`.
"""
