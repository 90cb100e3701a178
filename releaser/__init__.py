"""releaser: from a customer's request to the moment the fix runs on that customer's own installation."""

__version__ = "0.1"
