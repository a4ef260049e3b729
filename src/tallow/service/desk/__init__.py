"""Pages that a person works with: the market, charts, a migration, and what the service does."""

from tallow.service.desk.mount import add_desk

__all__ = ["add_desk"]
