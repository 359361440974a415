"""Authorization: may this request become a tunnel, and where to?"""
