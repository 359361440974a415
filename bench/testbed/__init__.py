"""Test bed: what stands around what is measured? Load, repository, proxies, this machine."""
