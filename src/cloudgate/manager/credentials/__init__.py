"""Credentials: which user names and passwords are kept for the infrastructure?"""
