"""What went wrong, and why nothing happens: rules over facts, without any I/O."""
