"""Compatibility: what does the published API have, and what becomes of it here?"""
