"""The limits of screens. `tallow.core.limits` has them all."""

from __future__ import annotations

SCREEN_CHARACTERS_MAX = 262_144
"""Longest text of a screen: longer than any that a tree within the other limits is written as."""

SCREEN_JSON_CHARACTERS_MAX = 1_048_576
"""Longest JSON text of a screen's tree."""

SCREEN_TERMS_MAX = 500
"""Most nodes of a screen's tree, those of the saved screens that it names among them."""

SCREEN_DEPTH_MAX = 50
"""How deep the nodes of a screen's tree may lie in each other."""

SCREEN_BARS_MAX = 5_000
"""Most bars of an offset or a window in a screen."""

SCREEN_EXCERPT = 60
"""Characters of its text that a screen's error shows before what is wrong, and behind it."""

SWEEP_SCREENS_MAX = 1_000
"""Most combinations of the values of a sweep: each is a screen of its own."""

SCREENS_MAX = 1_000
"""Most saved screens of a file."""
