"""Cloudgate: a cloud gateway for backup service providers."""

__version__ = "0.1.0"
