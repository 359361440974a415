"""Figures: how is what was used, and when, asked for and drawn?"""
