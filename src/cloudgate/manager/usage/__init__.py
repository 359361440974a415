"""What did tenants use of the gateways?"""
