"""Which resource types does the API have? One module for each family; `BY_ROOT` lists them all."""
