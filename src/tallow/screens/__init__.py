"""Screens: a question to many instruments in text, its typed tree, and what a tree answers."""
