"""Cloud: what do calls about gateways, pools, tenants and what belongs to them do?"""
