"""Resource types: which does the API have? One module for each family."""
