"""Registries: what does the manager keep in memory alone?"""
