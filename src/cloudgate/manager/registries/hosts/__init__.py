"""Registries of hosts: what does the manager keep in memory of its hosts, and of what they say?"""
