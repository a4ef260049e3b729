"""The way from an old engine to this one: compare, shadow, roll out, roll back."""
