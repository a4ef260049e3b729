"""From documents into a store, and what was quarantined back out."""
