"""Predecessor: who stands in for the Envoy from which another has taken over, once it is gone?"""
