"""Operator's pages: what does a provider see and do? One module for each thing."""
