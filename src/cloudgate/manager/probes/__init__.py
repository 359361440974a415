"""Usage probes: how much does each tenant keep in a repository?"""
