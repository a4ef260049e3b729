"""Runs: the same plan and kernels over frames, blocks and files."""
