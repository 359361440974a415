"""Resource commands: what can be asked and done? One module for each resource."""
