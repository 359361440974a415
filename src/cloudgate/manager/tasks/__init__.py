"""Tasks: what work is under way, and how did it end?"""
