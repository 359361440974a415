"""Envoy's module: how does it ask, and what becomes of a request that it hands over?"""
