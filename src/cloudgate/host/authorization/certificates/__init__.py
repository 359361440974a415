"""Certificates: who comes by one of a tenant, and is it good?"""
