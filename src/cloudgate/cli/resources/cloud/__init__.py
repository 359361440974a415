"""Cloud commands: what can be done with gateways, pools and tenants?"""
