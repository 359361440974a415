"""Connector: how does a tenant get in? By local ports that lead through its gateways."""
