"""Host service: what carries the traffic, and keeps Envoy as the manager wants it?"""
