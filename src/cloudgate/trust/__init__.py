"""Trust: who shows a certificate, who knows a password, and what was written down?"""
