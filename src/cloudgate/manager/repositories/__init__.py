"""Which storage services does the provider have?"""
