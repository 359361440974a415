"""Tenants: who are the customers, and what may they use?"""
