"""Customers: who are they, which users and certificates have they, and how is that changed?"""
