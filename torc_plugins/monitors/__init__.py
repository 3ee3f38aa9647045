"""Ways to measure what jobs and machines use."""
