"""Ways to start commands."""
