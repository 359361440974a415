"""Registries of limits: how is what a tenant may have over all gateways divided between them?"""
