"""How much does each tenant keep in a repository?"""
