"""Usage: what did tenants use of the gateways?"""
