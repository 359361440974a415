"""The bytes of a real server are read, and what is written has their shape.

The documents are examples in the form that a server of this API answers and its clients send.
"""

import json as plain_json

from lxml import etree

from cloudgate.wire import json, xml
from cloudgate.wire.resources.base import Error, Link
from cloudgate.wire.resources.cloud.tenants import CloudTenant
from cloudgate.wire.resources.sessions import Task, TaskResult

NAMESPACES = (
    'xmlns="http://www.veeam.com/ent/v1.0" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
TENANT_HREF = (
    "http://em.example:9399/api/cloud/tenants/95c26e34-1b8e-456e-aa21-c527bda7e311?format=Entity"
)
TENANT_UID = "urn:veeam:CloudTenant:95c26e34-1b8e-456e-aa21-c527bda7e311"
TENANT_XML = f"""<?xml version="1.0" encoding="utf-8"?>
<CloudTenant Href="{TENANT_HREF}" Type="CloudTenant" Name="Acme-01" UID="{TENANT_UID}" {NAMESPACES}>
    <Links/><Password/><Description>We are going to update the description...</Description>
    <Enabled>true</Enabled><LeaseOptions Enabled="false"/><Resources/>
    <LastResult>Success</LastResult><LastActive>1753-01-01T00:00:00Z</LastActive>
    <ComputeResources/><ThrottlingEnabled>false</ThrottlingEnabled>
    <ThrottlingSpeedLimit>1</ThrottlingSpeedLimit><ThrottlingSpeedUnit>Mbps</ThrottlingSpeedUnit>
    <PublicIpCount>0</PublicIpCount><BackupCount>0</BackupCount><ReplicaCount>0</ReplicaCount>
    <MaxConcurrentTasks>1</MaxConcurrentTasks><WorkStationBackupCount>0</WorkStationBackupCount>
    <ServerBackupCount>0</ServerBackupCount>
    <BackupProtectionEnabled>false</BackupProtectionEnabled>
    <BackupProtectionPeriod>1</BackupProtectionPeriod>
    <TenantType><StandaloneTenant><TenantCredentials><Username>Acme-01</Username>
    </TenantCredentials></StandaloneTenant></TenantType>
</CloudTenant>"""
TENANT_JSON = f"""{{
  "Password": "", "Description": "We are going to update the description...", "Enabled": true,
  "LeaseOptions": {{"Enabled": false}}, "Resources": {{"CloudTenantResources": []}},
  "LastResult": "Success", "LastActive": "1753-01-01T00:00:00Z",
  "ComputeResources": {{"CloudTenantComputeResources": []}}, "ThrottlingEnabled": false,
  "ThrottlingSpeedLimit": 1, "ThrottlingSpeedUnit": "Mbps", "PublicIpCount": 0, "BackupCount": 0,
  "ReplicaCount": 0, "MaxConcurrentTasks": 1, "WorkStationBackupCount": 0, "ServerBackupCount": 0,
  "BackupProtectionEnabled": false, "BackupProtectionPeriod": 1,
  "TenantType": {{"StandaloneTenant": {{"TenantCredentials": {{"Username": "Acme-01"}}}}}},
  "Name": "Acme-01", "UID": "{TENANT_UID}", "Links": [], "Href": "{TENANT_HREF}",
  "Type": "CloudTenant"
}}"""
TASK_HREF = "http://em.example:9399/api/tasks/task-7"


def shape(node: etree._Element) -> tuple[str, dict[str, str], list[object]]:
    return str(node.tag), {str(k): str(v) for k, v in node.attrib.items()}, [shape(c) for c in node]


def test_a_tenant_is_the_same_in_xml_and_json() -> None:
    assert xml.read(TENANT_XML.encode(), CloudTenant) == json.read(
        TENANT_JSON.encode(), CloudTenant
    )


def test_a_tenant_is_written_in_the_captured_shape() -> None:
    tenant = xml.read(TENANT_XML.encode(), CloudTenant)
    written = etree.fromstring(xml.write(tenant))
    assert shape(written) == shape(etree.fromstring(TENANT_XML.encode()))
    captured = plain_json.loads(TENANT_JSON)
    ours = plain_json.loads(json.write(tenant))
    credentials = ours["TenantType"]["StandaloneTenant"]["TenantCredentials"]
    assert credentials.pop("Password") is None
    # The server was older than these, which are null where there is nothing.
    assert ours["TenantType"].pop("vCloudTenant") is None
    assert ours.pop("VCloudComputeResources") is None
    assert ours.pop("CloudGatewayPools") is None
    assert ours == captured
    assert list(ours) == list(captured)


def test_a_running_task_is_written_in_the_captured_shape() -> None:
    task = Task(
        href=TASK_HREF,
        type="Task",
        links=(Link(href=TASK_HREF, rel="Delete"),),
        task_id="task-7",
        state="Running",
        operation="EditCloudTenant",
    )
    assert xml.write(task).decode() == (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<Task Href="{TASK_HREF}" Type="Task" {NAMESPACES}>'
        f'<Links><Link Href="{TASK_HREF}" Rel="Delete"/></Links><TaskId>task-7</TaskId>'
        "<State>Running</State><Operation>EditCloudTenant</Operation></Task>"
    )
    assert json.write(task).decode() == (
        '{"TaskId":"task-7","State":"Running","Operation":"EditCloudTenant",'
        f'"Links":[{{"Rel":"Delete","Href":"{TASK_HREF}"}}],"Href":"{TASK_HREF}","Type":"Task"}}'
    )


def test_a_finished_task_is_written_in_the_captured_shape() -> None:
    related = Link(href=TENANT_HREF, name="Acme-01", type="CloudTenant", rel="Related")
    task = Task(
        href=TASK_HREF,
        type="Task",
        links=(Link(href=TASK_HREF, rel="Delete"), related),
        task_id="task-7",
        state="Finished",
        operation="EditCloudTenant",
        result=TaskResult(success=True, message="Ok"),
    )
    assert (
        xml.write(task)
        .decode()
        .endswith(
            f'<Link Href="{TENANT_HREF}" Name="Acme-01" Type="CloudTenant" Rel="Related"/></Links>'
            "<TaskId>task-7</TaskId><State>Finished</State><Operation>EditCloudTenant</Operation>"
            '<Result Success="true"><Message>Ok</Message></Result></Task>'
        )
    )


def test_an_error_in_json_is_the_captured_bytes() -> None:
    error = Error(message="Node [root] does not exist.", status_code=400)
    assert json.write(error) == (
        b'{"FirstChanceExceptionMessage":null,"Message":"Node [root] does not exist.",'
        b'"StackTrace":null,"Status":null,"StatusCode":400}'
    )
    assert len(json.write(error)) == 125


def test_an_error_in_xml_has_attributes_and_a_child() -> None:
    message = "Object reference not set to an instance of an object."
    error = Error(message=message, status_code=500, first_chance_exception_message=message)
    captured = (
        f'<Error Message="{message}" StatusCode="500" {NAMESPACES}><FirstChanceExceptionMessage>'
        f"{message}</FirstChanceExceptionMessage></Error>"
    )
    assert shape(etree.fromstring(xml.write(error))) == shape(etree.fromstring(captured))


def test_what_clients_send_to_change_a_tenant_is_read() -> None:
    body = (
        f'<CloudTenant Type="CloudTenant" {NAMESPACES}><Description>New</Description>'
        "<MaxConcurrentTasks>1</MaxConcurrentTasks><TenantType><StandaloneTenant>"
        "<TenantCredentials><Username>Acme-01</Username></TenantCredentials></StandaloneTenant>"
        "</TenantType></CloudTenant>"
    )
    tenant = xml.read(body.encode(), CloudTenant)
    assert (tenant.description, tenant.max_concurrent_tasks, tenant.enabled) == ("New", 1, None)
    as_json = (
        b'{"Description":"New","MaxConcurrentTasks":1,"Enabled":"True","TenantType":'
        b'{"StandaloneTenant":{"TenantCredentials":{"Username":"Acme-01"}}}}'
    )
    assert json.read(as_json, CloudTenant).enabled is True
