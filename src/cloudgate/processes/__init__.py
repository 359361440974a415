"""Processes: how are other programs asked, and what may this process have open?"""
