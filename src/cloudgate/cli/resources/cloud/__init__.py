"""Commands about gateways, pools, tenants and what belongs to them."""
