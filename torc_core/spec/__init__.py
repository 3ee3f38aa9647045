"""From the text of a spec to a checked plan, without I/O."""
