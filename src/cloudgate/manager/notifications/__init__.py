"""Notifications: who is told of what has happened, and did it reach them?"""
