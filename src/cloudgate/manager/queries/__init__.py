"""Queries: which of many things are wanted, in which order, and which page of them?"""
