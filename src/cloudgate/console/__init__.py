"""Console: what do a provider and a tenant see in a browser? Pages that ask the REST API alone."""
