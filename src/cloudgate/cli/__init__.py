"""Cloudgate: the command line."""
