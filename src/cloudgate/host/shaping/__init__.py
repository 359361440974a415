"""Traffic shaping: how fast may each tunnel be?"""
