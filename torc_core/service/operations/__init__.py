"""The declared operations, by subject; ``service.api.Service`` offers all of them."""
