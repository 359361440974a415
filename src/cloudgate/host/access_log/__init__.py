"""Access log: what does Envoy write down of each tunnel, and which lines are new?"""
