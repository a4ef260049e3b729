"""Plans: what a run computes."""
