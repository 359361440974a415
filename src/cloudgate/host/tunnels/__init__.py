"""Tunnels: which are live, what did they carry, and which must end?"""
