"""Logon sessions: who is asking?"""
