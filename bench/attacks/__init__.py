"""Attacks: what do strangers reach who attack a manager or a gateway?"""
