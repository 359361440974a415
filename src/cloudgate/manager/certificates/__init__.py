"""Which certificates have operators brought, and for which gateways?"""
