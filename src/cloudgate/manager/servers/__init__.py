"""Servers: which sites and machines belong to the infrastructure?"""
