"""Connections: who may connect to the manager, how many times, and for how long?"""
