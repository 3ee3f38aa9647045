"""Decisions about jobs, without I/O."""
