"""Managers: what do calls, pages and hosts cost a manager, and what is lost when one dies?"""
