"""Quotas: what follows from how much a tenant uses of what it was given?"""
