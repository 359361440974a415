"""Audit log: who has changed what, from where, and how did it end?"""
