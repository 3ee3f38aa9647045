"""What a workflow would do: played against a virtual clock, or as the order in which jobs become ready. No I/O."""
