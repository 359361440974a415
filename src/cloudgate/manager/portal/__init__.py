"""Portal: what may a tenant, or one of its users, see and do by itself?"""
