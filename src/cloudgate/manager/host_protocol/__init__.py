"""What does the manager tell the hosts, and what does it make of what they say?"""
