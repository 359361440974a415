"""Monitoring: what does a process show of its health and its figures, and how is it asked?"""
