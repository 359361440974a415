"""Gateways set apart for certain tenants."""
