"""Tenant's portal: what can a tenant, or its user, look at and do in a browser?"""
