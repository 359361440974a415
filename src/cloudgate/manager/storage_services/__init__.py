"""Storage services: how does the manager ask a server that keeps what tenants store?"""
