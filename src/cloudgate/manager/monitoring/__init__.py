"""Monitoring of the manager: what is well with it, and which figures has it to show?"""
