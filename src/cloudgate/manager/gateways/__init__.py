"""What may a cloud gateway be, and what becomes of a change to one?"""
