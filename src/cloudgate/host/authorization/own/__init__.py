"""Own requests: what may a tenant ask of the manager at a gateway's own port?"""
