"""Command line: what does a person type?"""
