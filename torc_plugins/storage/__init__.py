"""Places to keep records."""
