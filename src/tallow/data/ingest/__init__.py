"""From documents into a store, and what was set aside back out."""
