"""Gateway pools: which gateways are set apart, and for which tenants?"""
