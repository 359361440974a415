"""Cloud resources: what is said of gateways, pools and tenants?"""
