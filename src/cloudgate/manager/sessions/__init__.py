"""Who is asking?"""
