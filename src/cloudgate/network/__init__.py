"""Network: what may be named and dialled, and which of a name's addresses answers?"""
