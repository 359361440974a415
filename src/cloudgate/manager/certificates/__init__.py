"""Certificates: which have operators brought, and for which gateways?"""
