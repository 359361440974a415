"""Monitoring of a host: what is well with it, and which figures has it to show?"""
