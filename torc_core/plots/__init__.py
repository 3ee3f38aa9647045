"""Pictures of what jobs and machines used over time. No I/O."""
