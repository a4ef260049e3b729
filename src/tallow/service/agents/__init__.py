"""Tools for agents, by the Model Context Protocol: they read, and change nothing.

`questions` says what a tool takes, `tools` what it answers, `protocol` how both are told; `http` is
in the service, and `tallow mcp` speaks over stdio.
"""
