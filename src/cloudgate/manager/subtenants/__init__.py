"""Subtenants: who are the users of a tenant?"""
