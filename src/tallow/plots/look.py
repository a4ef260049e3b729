"""The colours of charts, by theme; those of curves come in turn."""

from __future__ import annotations

LIGHT = {
    "background": "#ffffff",
    "text": "#1c2030",
    "quiet": "#6a7080",
    "grid": "#eceef2",
    "edge": "#c9cdd6",
    "up": "#0b8f78",
    "down": "#d6364a",
    "match": "#7c3aed",
    "neutral": "#8a6d1a",
}
LIGHT_LINES = (
    *("#1f6feb", "#d97706", "#8b5cf6", "#0891b2"),
    *("#c026d3", "#4d7c0f", "#92400e", "#475569"),
)
DARK = {
    "background": "#12151d",
    "text": "#e4e7ee",
    "quiet": "#949bab",
    "grid": "#20242f",
    "edge": "#3a4050",
    "up": "#26b39a",
    "down": "#f0616f",
    "match": "#b48cff",
    "neutral": "#d9b84a",
}
DARK_LINES = (
    *("#62a0ff", "#f5a742", "#b39aff", "#3fc7e0"),
    *("#e879f9", "#a3d15b", "#d9a27a", "#a7b1c2"),
)
