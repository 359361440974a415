"""Which sites and machines belong to the infrastructure?"""
