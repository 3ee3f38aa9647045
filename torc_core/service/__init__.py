"""The one interface to workflows, in process and over a connection."""
