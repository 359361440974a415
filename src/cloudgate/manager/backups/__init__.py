"""Backups: how is the manager's state kept elsewhere, and how does it come back?"""
