"""Core: how is anything read or changed, and who hears of it?"""
