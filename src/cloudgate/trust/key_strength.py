"""Key strength: how large must a key be?

By NIST SP 800-131A, section 3.
"""

LEAST_RSA_BITS = 2048
