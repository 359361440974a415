"""Security: what vouches for this installation, and what keeps its secrets?"""
