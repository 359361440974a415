"""Resource types: which does the API have? `BY_ROOT` lists them all."""
