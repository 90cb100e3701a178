"""The pages: rendered on the server from what the store remembers, readable without any script."""
