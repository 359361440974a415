"""Envoy: which one runs, and what is it told?"""
