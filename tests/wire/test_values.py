"""Single values: what is missing, how they may be written, and which limit has refused them."""

import json as stdlib_json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from cloudgate.errors import InvalidRequestError
from cloudgate.values import timestamps
from cloudgate.wire import encoding, json, schema, xml
from cloudgate.wire.declarations import XSD, Declarations
from cloudgate.wire.description import ResourceType
from cloudgate.wire.resources.base import EntityRef
from cloudgate.wire.resources.cloud.gateways import CloudGateway, CreateCloudGatewaySpec
from cloudgate.wire.resources.cloud.live import CloudMaintenance
from cloudgate.wire.resources.cloud.pools import CloudGatewayPool
from cloudgate.wire.resources.cloud.subtenants import CloudSubtenant, CloudSubtenantCreateSpec
from cloudgate.wire.resources.cloud.tenants import CloudTenant, CreateCloudTenantSpec
from cloudgate.wire.resources.infrastructure import CreateRepositorySpec
from tests.wire.plain_json import plainly_written

NS = schema.NAMESPACE
GUID = "29e5d158-1f58-44bc-bbaa-2752d787a91d"


def in_xml(kind: type[ResourceType], inner: str) -> bytes:
    return f'<{kind.root()} xmlns="{NS}">{inner}</{kind.root()}>'.encode()


def refused(read: Any, body: bytes, kind: type[ResourceType]) -> str:
    with pytest.raises(InvalidRequestError) as problem:
        read(body, kind)
    return problem.value.message


def required_types() -> Iterator[tuple[str, str]]:
    """Every element with a value that a body must have, and its type."""
    root = etree.fromstring(schema.schema_bytes())
    declared = Declarations(root)
    for node in root.iter(f"{XSD}complexType"):
        contents = declared.contents(node)
        for name in contents.required & contents.elements.keys():
            element = contents.elements[name]
            if declared.complex_of(element) is None:
                yield name, str(element.get("type"))


@pytest.mark.parametrize(("name", "type_name"), sorted(set(required_types())))
def test_a_required_value_that_is_empty_is_missing_whatever_its_type(
    name: str, type_name: str
) -> None:
    root = etree.fromstring(schema.schema_bytes())
    etree.SubElement(root, f"{XSD}element", name="Probe", type=type_name)
    probe = etree.XMLSchema(root)
    for empty in ("", " ", "\n\t"):
        node = etree.Element(f"{{{NS}}}Probe")
        node.text = empty
        is_text = type_name in ("RequiredText", "RequiredDnsNames")
        assert probe.validate(node) is (is_text and empty != "")


@pytest.mark.parametrize(
    ("kind", "inner", "document"),
    [
        (CloudMaintenance, "<Enabled></Enabled>", '{"Enabled": ""}'),
        (CloudMaintenance, "<Enabled> </Enabled>", '{"Enabled": " "}'),
        (
            CreateCloudTenantSpec,
            (
                "<Name>a</Name><Resources><BackupResource><Name>q</Name><RepositoryUid/>"
                "<QuotaMb>1024</QuotaMb></BackupResource></Resources>"
            ),
            (
                '{"Name": "a", "Resources": {"BackupResources": [{"Name": "q", "RepositoryUid": "",'
                ' "QuotaMb": 1024}]}}'
            ),
        ),
        (CreateCloudTenantSpec, "<Name/>", '{"Name": ""}'),
        (
            CreateCloudGatewaySpec,
            "<ServerHostName>a</ServerHostName><NetworkType/>",
            '{"ServerHostName": "a", "NetworkType": ""}',
        ),
        (
            CloudSubtenantCreateSpec,
            "<Name>a</Name><Password/>",
            (
                '{"Name": "a", "Password": "", "UnlimitedQuota": true,'
                ' "TenantResourceId": "29e5d158-1f58-44bc-bbaa-2752d787a91d"}'
            ),
        ),
    ],
)
def test_both_forms_say_that_it_is_missing(
    kind: type[ResourceType], inner: str, document: str
) -> None:
    for message in (
        refused(xml.read, in_xml(kind, inner), kind),
        refused(json.read, document.encode(), kind),
    ):
        assert " is missing: found '" in message, message
        assert "expected " in message


TIMES = {
    "2030-12-31T00:00:00Z": datetime(2030, 12, 31, tzinfo=UTC),
    "2030-12-31T24:00:00Z": datetime(2031, 1, 1, tzinfo=UTC),
    "2032-02-28T24:00:00.000": datetime(2032, 2, 29, tzinfo=UTC),
    "2030-12-31T24:00:00+02:00": datetime(2030, 12, 31, 22, tzinfo=UTC),
    "2030-12-31T10:00:00-14:00": datetime(2031, 1, 1, 0, tzinfo=UTC),
    "2030-12-31T10:00:00.5": datetime(2030, 12, 31, 10, 0, 0, 500_000, tzinfo=UTC),
    "2030-12-31T10:00:00.123456789012Z": datetime(2030, 12, 31, 10, 0, 0, 123_456, tzinfo=UTC),
    "2030-12-31T10:00:00.0000000000000000000000Z": datetime(2030, 12, 31, 10, tzinfo=UTC),
    " 2030-12-31T10:00:00+00:00\n": datetime(2030, 12, 31, 10, tzinfo=UTC),
    "1753-01-01T00:00:00Z": datetime(1753, 1, 1, tzinfo=UTC),
    "9999-12-30T24:00:00Z": datetime(9999, 12, 31, tzinfo=UTC),
    "9999-12-31T23:59:59.9999999": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
}
NO_TIMES = (
    "2030-12-31T24:00:01Z",
    "2030-12-31T24:01:00Z",
    "2030-12-31T25:00:00Z",
    "2030-12-31T24:00:00.1Z",
    "2030-12-31T10:00:60Z",
    "2030-12-31T10:00:00.Z",
    "2030-12-31T10:00Z",
    "2030-12-31",
    "2030-02-29T24:00:00Z",
    "2030-12-31T10:00:00+14:01",
    "9999-12-31T24:00:00Z",
    "12030-12-31T10:00:00Z",
)


@pytest.mark.parametrize("text", TIMES)
def test_times_are_read_as_the_schema_type_writes_them(text: str) -> None:
    by_xml = xml.read(
        in_xml(
            CreateCloudTenantSpec,
            f"<Name>a</Name><LeaseExpirationDate>{text}</LeaseExpirationDate>",
        ),
        CreateCloudTenantSpec,
    )
    escaped = text.replace("\n", "\\n")
    by_json = json.read(
        f'{{"Name": "a", "LeaseExpirationDate": "{escaped}"}}'.encode(), CreateCloudTenantSpec
    )
    assert by_xml.lease_expiration_date == by_json.lease_expiration_date == TIMES[text]
    assert timestamps.parse(text) == TIMES[text]


@pytest.mark.parametrize(
    ("minutes", "has_come"),
    [(-600, True), (0, True), (1, False), (60, False), (61, True), (600, True)],
)
def test_what_is_put_off_by_an_hour_at_most_has_come_also_where_the_clock_was_put_back(
    minutes: int, has_come: bool
) -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    moment = now + timedelta(minutes=minutes)
    assert timestamps.has_come(moment, now, timedelta(hours=1)) is has_come


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused_by_both_forms(text: str) -> None:
    for message in (
        refused(
            xml.read,
            in_xml(
                CreateCloudTenantSpec,
                f"<Name>a</Name><LeaseExpirationDate>{text}</LeaseExpirationDate>",
            ),
            CreateCloudTenantSpec,
        ),
        refused(
            json.read,
            f'{{"Name": "a", "LeaseExpirationDate": "{text}"}}'.encode(),
            CreateCloudTenantSpec,
        ),
    ):
        assert "expected a time such as 2030-12-31T00:00:00Z" in message


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), (" 0\n", False), ("true", True), ("\tFALSE ", False), ("True", True), ("", None)],
)
def test_booleans_are_read_with_blanks_and_as_digits(text: str, *, value: bool | None) -> None:
    by_xml = xml.read(in_xml(CloudGateway, f"<Enabled>{text}</Enabled>"), CloudGateway)
    escaped = text.replace("\n", "\\n").replace("\t", "\\t")
    by_json = json.read(f'{{"Enabled": "{escaped}"}}'.encode(), CloudGateway)
    assert by_xml.enabled is by_json.enabled is value


@pytest.mark.parametrize(
    ("text", "value"), [("+6180", 6180), (" 06180 ", 6180), ("\n6180\t", 6180), ("", None)]
)
def test_numbers_are_read_with_signs_zeros_and_blanks(text: str, value: int | None) -> None:
    body = in_xml(CloudGateway, f"<ExternalPort>{text}</ExternalPort>")
    assert xml.read(body, CloudGateway).external_port == value


@pytest.mark.parametrize(
    ("kind", "name", "length", "limit"),
    [
        (CreateCloudTenantSpec, "Name", 129, "a name of 1 to 128 characters"),
        (CloudSubtenant, "Name", 2049, "at most 2048 characters"),
        (CloudMaintenance, "Message", 351, "at most 350 characters"),
        (CloudTenant, "Description", 2049, "at most 2048 characters"),
    ],
)
def test_a_message_names_the_limit_that_has_refused(
    kind: type[ResourceType], name: str, length: int, limit: str
) -> None:
    before = "<Enabled>true</Enabled>" if kind is CloudMaintenance else ""
    body = in_xml(kind, f"{before}<{name}>{'x' * length}</{name}>")
    start = '"Enabled": true, ' if before else ""
    document = f'{{{start}"{name}": "{"x" * length}"}}'.encode()
    expected = f"{name}: found {length} characters, expected {limit}"
    assert refused(xml.read, body, kind) == f"{expected} (line 1)."
    assert refused(json.read, document, kind) == f"{expected}."
    prefixed = body.replace(b"<", b"<v:").replace(b"<v:/", b"</v:").replace(b"xmlns", b"xmlns:v")
    assert refused(xml.read, prefixed, kind) == f"{expected} (line 1)."


def test_elements_of_other_generations_of_the_schema_are_read_in_their_place() -> None:
    gateway = xml.read(
        in_xml(
            CloudGateway,
            "<Enabled>true</Enabled><DnsNameOrIpAddress>gw1</DnsNameOrIpAddress>"
            "<NetworkMode>Direct</NetworkMode>",
        ),
        CloudGateway,
    )
    assert (gateway.dns_name_or_ip_address, gateway.network_mode) == ("gw1", "Direct")
    assert "Enabled is not expected here" in refused(
        xml.read,
        in_xml(CloudGateway, "<DnsNameOrIpAddress>gw1</DnsNameOrIpAddress><Enabled>true</Enabled>"),
        CloudGateway,
    )
    twice = "<BackupProtectionPeriod>3</BackupProtectionPeriod>"
    assert xml.read(in_xml(CloudTenant, twice * 2), CloudTenant).backup_protection_period == 3
    assert "given twice, and is not the same" in refused(
        xml.read, in_xml(CloudTenant, twice + twice.replace("3", "4")), CloudTenant
    )
    appliance = (
        "<ComputeResources><CloudTenantComputeResource><PlatformType>VMware</PlatformType>"
        "<UseNetworkFailoverResources>true</UseNetworkFailoverResources><NetworkAppliance>"
        "<Name>a</Name><ProductionNetwork>n</ProductionNetwork>"
        "<ObtainIPAddressAutomatically>true</ObtainIPAddressAutomatically></NetworkAppliance>"
        "<ComputeResourceStats><MemoryUsageMb>0</MemoryUsageMb><CPUCount>0</CPUCount>"
        "<StorageResourceStats><StorageResourceStat><StorageName>s</StorageName>"
        "<StorageUsageGb>0</StorageUsageGb><StorageLimitGb>10</StorageLimitGb>"
        "</StorageResourceStat></StorageResourceStats></ComputeResourceStats>"
        "</CloudTenantComputeResource></ComputeResources>"
    )
    found = xml.read(in_xml(CloudTenant, appliance), CloudTenant).compute_resources
    assert found is not None
    assert found[0].network_appliance is not None
    for item in ("VCloudComputeResource", "CloudTenantVCloudComputeResource"):
        centre = f"<{item}><VirtualDataCenterRef>r</VirtualDataCenterRef></{item}>"
        by_xml = xml.read(
            in_xml(CloudTenant, f"<VCloudComputeResources>{centre}</VCloudComputeResources>"),
            CloudTenant,
        )
        centres = f'{{"{item}s": [{{"VirtualDataCenterRef": "r"}}]}}'
        document = f'{{"VCloudComputeResources": {centres}}}'
        by_json = json.read(document.encode(), CloudTenant)
        assert by_xml == by_json


UID = f"urn:veeam:Repository:{GUID}"
QUOTA = {"Name": "q", "RepositoryUid": UID, "QuotaMb": 2048}


def tenant(**more: Any) -> CreateCloudTenantSpec:
    return json.read(stdlib_json.dumps({"Name": "t", **more}).encode(), CreateCloudTenantSpec)


@pytest.mark.parametrize("empty", ["", " \n", None, {}])
@pytest.mark.parametrize("name", ["Resources", "CloudGatewayPools", "Domain"])
def test_an_empty_text_in_json_is_none_where_a_value_would_hold_others(
    name: str, empty: object
) -> None:
    found = getattr(tenant(**{name: empty}), "domain" if name == "Domain" else "resources")
    assert not found


def test_what_is_for_others_and_holds_nothing_is_left_out_in_xml_too() -> None:
    spec = xml.read(in_xml(CreateCloudTenantSpec, "<Name>t</Name><Domain/>"), CreateCloudTenantSpec)
    assert spec == tenant(Domain="") == tenant()
    inner = "<Name>r</Name><Endpoint>e</Endpoint>"
    with_probe = in_xml(CreateRepositorySpec, f"{inner}<UsageProbe> </UsageProbe>")
    assert xml.read(with_probe, CreateRepositorySpec).usage_probe is None
    given = f"{inner}<UsageProbe><Path/></UsageProbe>"
    assert "Method is missing" in refused(
        xml.read, in_xml(CreateRepositorySpec, given), CreateRepositorySpec
    )
    emptied = xml.read(in_xml(CloudGatewayPool, "<CloudTenants/>"), CloudGatewayPool)
    assert emptied.cloud_tenants == ()


def test_one_thing_without_an_array_is_an_array_of_it() -> None:
    assert tenant(Resources={"BackupResources": QUOTA}) == tenant(
        Resources={"BackupResources": [QUOTA]}
    )
    assert tenant(CloudGatewayPools={"CloudGatewayPoolUids": GUID}) == tenant(
        CloudGatewayPools={"CloudGatewayPoolUids": [GUID]}
    )
    assert tenant(CloudGatewayPools={"CloudGatewayPoolUids": ""}).cloud_gateway_pools == ()


@pytest.mark.parametrize("name", ["NetworkType", "ServerHostName"])
def test_blanks_around_a_word_do_not_count(name: str) -> None:
    given = {"ServerHostName": "NAT", "NetworkType": "NAT"}
    exact = json.read(stdlib_json.dumps(given).encode(), CreateCloudGatewaySpec)
    given[name] = "\n\t NAT "
    assert json.read(stdlib_json.dumps(given).encode(), CreateCloudGatewaySpec) == exact
    elements = "".join(f"<{key}>{value}</{key}>" for key, value in given.items())
    assert xml.read(in_xml(CreateCloudGatewaySpec, elements), CreateCloudGatewaySpec) == exact


@pytest.mark.parametrize(
    ("kind", "document", "message"),
    [
        (
            CreateCloudTenantSpec,
            {"Name": "t", "Resources": {"BackupResources": [{**QUOTA, "RepositoryUid": "x"}]}},
            f"RepositoryUid: found 'x', expected a UID such as {UID}.",
        ),
        (
            CreateCloudTenantSpec,
            {"Name": "t", "BackupServerUid": "x"},
            (f"BackupServerUid: found 'x', expected a UID such as urn:veeam:BackupServer:{GUID}."),
        ),
        (
            CloudGateway,
            {"UID": "x"},
            f"UID: found 'x', expected a UID such as urn:veeam:CloudGateway:{GUID}.",
        ),
        (
            CloudSubtenant,
            {"RepositoryQuota": {"TenantResourceId": "x"}},
            f"TenantResourceId: found 'x', expected a GUID such as {GUID}.",
        ),
        (
            CreateCloudTenantSpec,
            {"Name": "t", "Resources": {"BackupResources": [{**QUOTA, "QuotaMb": 2**62}]}},
            f"QuotaMb: found '{2**62}', expected a quota of 1024 to 2251799812636672 MB.",
        ),
        (CloudMaintenance, {"Message": "m"}, "CloudMaintenance is incomplete: Enabled is missing."),
        (
            CreateCloudGatewaySpec,
            {"Description": "d"},
            "CreateCloudGatewaySpec is incomplete: ServerHostName and NetworkType are missing.",
        ),
        (
            CreateCloudGatewaySpec,
            {"ServerHostName": "a"},
            "CreateCloudGatewaySpec is incomplete: NetworkType is missing.",
        ),
    ],
)
def test_a_refusal_in_json_names_the_rule_that_refused(
    kind: type[ResourceType], document: dict[str, Any], message: str
) -> None:
    assert refused(json.read, stdlib_json.dumps(document).encode(), kind) == message


def test_what_is_expected_names_each_limit_that_can_refuse() -> None:
    root = etree.fromstring(schema.schema_bytes())
    for simple in root.iter(f"{XSD}simpleType"):
        told = simple.findtext(f"{XSD}annotation/{XSD}documentation")
        facets = simple.iterfind(f"{XSD}restriction/*")
        limits = [
            limit
            for each in facets
            for limit in (
                re.findall(r"(?<=,)\d+(?=\}$)", str(each.get("value")))
                if each.tag == f"{XSD}pattern"
                else [str(each.get("value"))]
            )
            if each.tag.removeprefix(XSD)
            in ("pattern", "maxLength", "minInclusive", "maxInclusive", "enumeration")
        ]
        if told is None or simple.get("name") in ("TenantTypeName", "DirectoryUrl"):
            continue  # other kinds of tenants are 501; the address has its scheme, too
        assert [limit for limit in limits if limit not in told] == [], simple.get("name")


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (
            "<ServerHostName>a</ServerHostName><InternalPort>1</InternalPort>",
            "InternalPort is not expected here: NetworkType is missing, expected",
        ),
        (
            "<ServerHostName>a</ServerHostName><NetworkType>NAT</NetworkType><Color/>",
            "Color is not expected here: unknown in CreateCloudGatewaySpec, expected",
        ),
        (
            "<ServerHostName>a</ServerHostName><ServerHostName>a</ServerHostName>",
            "ServerHostName is not expected here: given twice, or more often, expected",
        ),
        (
            "<Description>d</Description><ServerHostName>a</ServerHostName>",
            "Description is not expected here: out of order, expected BackupServerIdOrName",
        ),
        (
            (
                "<Description>d</Description><ServerHostName>a</ServerHostName>"
                "<NetworkType>NAT</NetworkType>"
            ),
            "Description is not expected here: out of order, expected",
        ),
        (
            (
                "<ServerHostName>a</ServerHostName><InternalPort>1</InternalPort>"
                "<NetworkType>NAT</NetworkType>"
            ),
            "InternalPort is not expected here: out of order, expected",
        ),
        (
            '<ServerHostName>a</ServerHostName><x:NetworkType xmlns:x="y">NAT</x:NetworkType>',
            "NetworkType is not expected here: it is of the namespace 'y', and not of",
        ),
        (
            (
                "<ServerHostName>a</ServerHostName><ExternalPort>1</ExternalPort>"
                "<Description>d</Description><NetworkType>NAT</NetworkType>"
            ),
            "Description is not expected here: out of order, expected",
        ),
    ],
)
def test_a_refusal_in_xml_names_the_rule_that_refused(inner: str, message: str) -> None:
    body = in_xml(CreateCloudGatewaySpec, inner)
    assert refused(xml.read, body, CreateCloudGatewaySpec).startswith(message)


TENANT = f'<CreateCloudTenantSpec xmlns="{NS}"><Name>Müller</Name></CreateCloudTenantSpec>'


def declared(name: str) -> str:
    return f'<?xml version="1.0" encoding="{name}"?>\n{TENANT}'


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (TENANT.encode(), None),
        (TENANT.encode("utf-8-sig"), None),
        (TENANT.encode("latin-1"), "iso8859-1"),
        (TENANT.encode("utf-16"), None),
        (TENANT.encode("utf-16-be"), "utf-16"),
        (TENANT.encode("utf-16-le"), "utf-16"),
        (TENANT.encode("utf-16-le"), None),
        (TENANT.encode("utf-32"), "iso8859-1"),
        (declared("iso-8859-1").encode("latin-1"), None),
        (declared("windows-1252").encode("cp1252"), None),
        (declared("UTF-16").encode("utf-16"), None),
        (declared("UTF-16").encode("utf-16-be"), None),
        # What Content-Type says is stronger than the declaration; a mark is stronger than both.
        (declared("utf-16").encode(), "utf-8"),
        (declared("iso-8859-1").encode(), "utf-8"),
        (declared("iso-8859-1").encode("utf-8-sig"), "iso8859-1"),
    ],
)
def test_xml_is_read_in_the_encoding_that_it_is_in(body: bytes, charset: str | None) -> None:
    text = encoding.xml_text(body, charset)
    assert xml.read(text, CreateCloudTenantSpec).name == "Müller"


@pytest.mark.parametrize(
    "name", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"]
)
def test_json_is_read_in_every_unicode_encoding(name: str) -> None:
    body = '{"Name": "Müller"}'.encode(name)
    assert json.read(body, CreateCloudTenantSpec).name == "Müller"
    assert json.read(encoding.json_text(body, None), CreateCloudTenantSpec).name == "Müller"


@pytest.mark.parametrize(
    ("body", "charset", "words"),
    [
        (declared("utf-16").encode(), None, ["declaration names the encoding utf-16", "UTF-8"]),
        (declared("no-such").encode(), None, ["no-such", "unknown", "UTF-8"]),
        (TENANT.encode("latin-1"), None, ["not UTF-8", "byte"]),
        (TENANT.encode("latin-1"), "utf-8", ["not UTF-8", "Content-Type names the charset utf-8"]),
        (declared("us-ascii").encode(), None, ["ASCII", "its declaration names us-ascii"]),
    ],
)
def test_bytes_in_another_encoding_are_refused_with_who_said_so(
    body: bytes, charset: str | None, words: list[str]
) -> None:
    with pytest.raises(InvalidRequestError) as problem:
        encoding.xml_text(body, charset)
    assert [word for word in words if word not in problem.value.message] == []


@pytest.mark.parametrize("name", ["hex", "base64", "idna", "utf-7", "unicode_escape", "", "x" * 99])
def test_what_is_no_character_set_is_not_known(name: str) -> None:
    assert encoding.charset_name(name) is None


def test_any_character_is_written_as_the_libraries_of_python_write_it() -> None:
    """So that an answer is the same bytes, whatever writes it faster."""
    characters = [chr(each) for each in range(sys.maxunicode + 1) if not 0xD800 <= each <= 0xDFFF]
    for text in (*(f"a{each}z" for each in characters[:0x300]), "".join(characters)):
        reference = EntityRef(name=text)
        assert json.write(reference) == plainly_written(json.to_object(reference))
        said = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
        entities = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
        assert f' Name="{escape(said, entities)}"'.encode() in xml.write(reference)


def test_what_says_that_it_is_nil_is_as_if_left_out_where_it_may_be() -> None:
    nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
    kind = CreateCloudGatewaySpec
    name, network = "<ServerHostName>a</ServerHostName>", "<NetworkType>Direct</NetworkType>"
    said = f"{name}<Description {nil}/><ExternalPort {nil}/>{network}"
    left_out = CreateCloudGatewaySpec(server_host_name="a", network_type="Direct")
    assert xml.read(in_xml(kind, said), kind) == left_out
    assert "NetworkType" in refused(xml.read, in_xml(kind, f"{name}<NetworkType {nil}/>"), kind)
    not_nil = f"{name}<ExternalPort {nil.replace('true', 'false')}/>{network}"
    assert "ExternalPort" in refused(xml.read, in_xml(kind, not_nil), kind)
