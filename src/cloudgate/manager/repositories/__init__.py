"""Repositories: which storage services does the provider have?"""
