"""Suites and tools for authors of plugins."""
