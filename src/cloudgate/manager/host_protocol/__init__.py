"""Host protocol: what are hosts told, and what is made of what they say?"""
