"""Data path: what do tunnels cost, how fast are they, and how soon do they end?"""
