"""Cloudgate: how do backup service providers let their customers in? By a cloud gateway."""

__version__ = "0.2.0"
