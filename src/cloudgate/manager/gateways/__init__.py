"""Cloud gateways: what may one be, and what becomes of a change to one?"""
