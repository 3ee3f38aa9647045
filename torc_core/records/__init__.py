"""Resources and the values they exchange, each declared once."""
