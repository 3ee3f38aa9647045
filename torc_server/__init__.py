"""The HTTP server, a plugin."""
