"""How does a tenant get in? The connector: local ports that lead through the tenant's gateways."""
