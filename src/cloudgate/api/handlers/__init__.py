"""Handlers: what does each call do? One module for each family of resources."""
