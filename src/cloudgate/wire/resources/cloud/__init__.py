"""Resource types of the cloud: gateways, pools, tenants and what belongs to them."""
