"""Entrance: how does somebody come in, by what he shows besides a name and a password?"""
