"""Site policies."""
