"""State: what does this host keep on disk, and know of its gateway, its site and its tenants?"""
