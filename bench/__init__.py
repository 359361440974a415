"""Benchmark: how does a Cloudgate gateway compare with what else could carry the traffic?

``make bench`` measures a gateway that the real product made beside HAProxy, nginx and stunnel, all
in one run and in alternation, and prints tables in Markdown. Only ratios within one run mean
anything. Each proxy has one processor core; what makes the load has the others.
"""
