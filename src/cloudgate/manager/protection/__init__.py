"""Backup protection: which repositories keep what is deleted there, and is it so?"""
