"""Cloud routes: which calls are about gateways, pools, tenants and what belongs to them?"""

from cloudgate.api.handlers.cloud import (
    certificates,
    gateways,
    maintenance,
    pools,
    subtenants,
    tenants,
    tunnels,
    usage,
)
from cloudgate.api.http.router import DONE, Parameter, Route, adds, shows, shows_either
from cloudgate.api.table.common import PAGED, TASK
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.cloud.certificates import (
    CloudCertificate,
    CloudCertificateOrderSpec,
    CloudCertificates,
    CreateCloudCertificateSpec,
)
from cloudgate.wire.resources.cloud.gateways import (
    CloudGateway,
    CloudGateways,
    CreateCloudGatewaySpec,
)
from cloudgate.wire.resources.cloud.live import CloudGatewayTunnels, CloudMaintenance
from cloudgate.wire.resources.cloud.pools import (
    CloudGatewayPool,
    CloudGatewayPools,
    CreateCloudGatewayPoolSpec,
)
from cloudgate.wire.resources.cloud.subtenants import (
    CloudSubtenant,
    CloudSubtenantCreateSpec,
    CloudSubtenants,
    CloudTenantFreeLicenseCounters,
)
from cloudgate.wire.resources.cloud.tenants import (
    CloudTenant,
    CloudTenantResource,
    CloudTenantResources,
    CloudTenants,
    CreateCloudTenantResourceSpec,
    CreateCloudTenantSpec,
)
from cloudgate.wire.resources.cloud.usage import CloudTenantUsages, CloudUsages

DRAINED = Parameter(
    name=gateways.DRAIN_SECONDS,
    description=(
        "Extension: how many seconds live tunnels may go on that have no place after the change;"
        " 28800 when left out."
    ),
    pattern="^[0-9]{1,6}$",
)
DAYS = Parameter(
    name="days",
    description="Extension: how many days to look back; 31 when left out.",
    pattern="^[1-9][0-9]{0,2}$",
)
ENDING_TUNNELS = Parameter(
    name=tenants.END_TUNNELS,
    description="Extension: true to end the tunnels that the tenant has.",
    values=("true", "false"),
)

ROUTES = [
    Route(
        verb="GET",
        path="/cloud/certificates",
        handler=certificates.get_certificates,
        answers=shows(CloudCertificates),
    ),
    Route(
        verb="POST",
        path="/cloud/certificates",
        handler=certificates.post_certificate,
        answers=adds(CloudCertificate),
        bodies=(CreateCloudCertificateSpec,),
    ),
    Route(
        verb="POST",
        path="/cloud/certificates",
        action="order",
        handler=certificates.order_certificate,
        answers=TASK,
        bodies=(CloudCertificateOrderSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/certificates/{id}",
        handler=certificates.get_certificate,
        answers=shows(CloudCertificate),
    ),
    Route(
        verb="DELETE",
        path="/cloud/certificates/{id}",
        handler=certificates.delete_certificate,
        answers=DONE,
    ),
    Route(
        verb="GET",
        path="/cloud/gateways",
        kept=True,
        handler=gateways.get_gateways,
        answers=shows_either(EntityReferences, CloudGateways),
    ),
    Route(
        verb="POST",
        path="/cloud/gateways",
        handler=gateways.post_gateway,
        answers=TASK,
        bodies=(CreateCloudGatewaySpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/gateways/{id}",
        kept=True,
        handler=gateways.get_gateway,
        answers=shows_either(EntityRef, CloudGateway),
    ),
    Route(
        verb="PUT",
        path="/cloud/gateways/{id}",
        handler=gateways.put_gateway,
        answers=TASK,
        query=(DRAINED,),
        bodies=(CloudGateway,),
    ),
    Route(
        verb="DELETE",
        path="/cloud/gateways/{id}",
        handler=gateways.delete_gateway,
        answers=TASK,
        query=(DRAINED,),
    ),
    Route(
        verb="GET",
        path="/cloud/gateways/{id}/tunnels",
        handler=tunnels.get_tunnels,
        answers=shows(CloudGatewayTunnels),
    ),
    Route(
        verb="DELETE",
        path="/cloud/gateways/{id}/tunnels/{tunnel}",
        handler=tunnels.delete_tunnel,
        answers=DONE,
    ),
    Route(
        verb="GET",
        path="/cloud/maintenance",
        handler=maintenance.get_maintenance,
        answers=shows(CloudMaintenance),
    ),
    Route(
        verb="PUT",
        path="/cloud/maintenance",
        handler=maintenance.put_maintenance,
        answers=shows(CloudMaintenance),
        bodies=(CloudMaintenance,),
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools",
        kept=True,
        handler=pools.get_pools,
        answers=shows_either(EntityReferences, CloudGatewayPools),
    ),
    Route(
        verb="POST",
        path="/cloud/gatewayPools",
        handler=pools.post_pool,
        answers=TASK,
        query=(DRAINED,),
        bodies=(CreateCloudGatewayPoolSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}",
        kept=True,
        handler=pools.get_pool,
        answers=shows_either(EntityRef, CloudGatewayPool),
    ),
    Route(
        verb="PUT",
        path="/cloud/gatewayPools/{id}",
        handler=pools.put_pool,
        answers=TASK,
        query=(DRAINED,),
        bodies=(CloudGatewayPool,),
    ),
    Route(
        verb="DELETE",
        path="/cloud/gatewayPools/{id}",
        handler=pools.delete_pool,
        answers=TASK,
        query=(DRAINED,),
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/gateways",
        kept=True,
        handler=pools.get_gateways_of_pool,
        answers=shows_either(EntityReferences, CloudGateways),
    ),
    Route(
        verb="GET",
        path="/cloud/gatewayPools/{id}/tenants",
        kept=True,
        handler=pools.get_tenants_of_pool,
        answers=shows_either(EntityReferences, CloudTenants),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants",
        kept=True,
        handler=tenants.get_tenants,
        answers=shows_either(EntityReferences, CloudTenants),
    ),
    Route(
        verb="POST",
        path="/cloud/tenants",
        handler=tenants.post_tenant,
        answers=TASK,
        bodies=(CreateCloudTenantSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}",
        kept=True,
        handler=tenants.get_tenant,
        answers=shows_either(EntityRef, CloudTenant),
    ),
    Route(
        verb="PUT",
        path="/cloud/tenants/{id}",
        handler=tenants.put_tenant,
        answers=TASK,
        query=(ENDING_TUNNELS,),
        bodies=(CloudTenant,),
    ),
    Route(verb="DELETE", path="/cloud/tenants/{id}", handler=tenants.delete_tenant, answers=TASK),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/usage",
        handler=usage.get_usage,
        answers=shows(CloudTenantUsages),
        query=(DAYS,),
    ),
    Route(
        verb="GET",
        path="/cloud/usage",
        handler=usage.get_usage_of_all,
        answers=shows(CloudUsages),
        query=(
            DAYS,
            Parameter(
                name=usage.TOTAL,
                description="true to add up each tenant's use of each gateway and target.",
                values=("true", "false"),
            ),
            *PAGED,
        ),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources",
        kept=True,
        handler=tenants.get_resources,
        answers=shows(CloudTenantResources),
    ),
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/resources",
        handler=tenants.post_resource,
        answers=TASK,
        bodies=(CreateCloudTenantResourceSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/resources/{resource}",
        kept=True,
        handler=tenants.get_resource,
        answers=shows(CloudTenantResource),
    ),
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/resources/{resource}",
        handler=tenants.delete_resource,
        answers=TASK,
        query=(ENDING_TUNNELS,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/gatewayPools",
        kept=True,
        handler=pools.get_pools_of_tenant,
        answers=shows(EntityReferences),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/subtenants",
        kept=True,
        handler=subtenants.get_subtenants,
        answers=shows(CloudSubtenants),
    ),
    Route(
        verb="POST",
        path="/cloud/tenants/{id}/subtenants",
        handler=subtenants.post_subtenant,
        answers=TASK,
        bodies=(CloudSubtenantCreateSpec,),
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        kept=True,
        handler=subtenants.get_subtenant,
        answers=shows(CloudSubtenant),
    ),
    Route(
        verb="PUT",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.put_subtenant,
        answers=TASK,
        bodies=(CloudSubtenant,),
    ),
    Route(
        verb="DELETE",
        path="/cloud/tenants/{id}/subtenants/{subtenant}",
        handler=subtenants.delete_subtenant,
        answers=TASK,
    ),
    Route(
        verb="GET",
        path="/cloud/tenants/{id}/freelicenseCounters",
        handler=subtenants.get_free_license_counters,
        answers=shows(CloudTenantFreeLicenseCounters),
    ),
]
