"""Which rights that were taken away since a backup does a restore give back?"""

from typing import Any

from cloudgate.manager.backups.revocations import revocations_among


def entry(number: int, operation: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "at": f"2030-01-01T00:00:{number:02}Z",
        "account": "admin",
        "operation": operation,
        "text": f"{operation} {name}",
        "object_id": f"id of {name}",
        "object_name": name,
        "before": None,
        "after": None,
        "success": True,
        **more,
    }


def test_what_was_taken_away_is_named_and_what_was_given_back_is_not() -> None:
    off, on = {"Enabled": False}, {"Enabled": True}
    found = revocations_among(
        [
            entry(1, "DeleteCloudTenant", "before the backup"),
            entry(2, "EditCloudTenant", "off", before=on, after=off),
            entry(3, "EditCloudTenant", "back", before=on, after=off),
            entry(4, "EditCloudTenant", "back", before=off, after=on),
            entry(5, "CreateCloudTenant", "passing", after=on),
            entry(6, "DeleteCloudTenant", "passing"),
            entry(7, "EditCloudTenant", "leaked", after={"Password": "changed"}),
            entry(8, "RevokeManagedServer", "stolen"),
            entry(9, "RevokeManagedServer", "let in"),
            entry(10, "ReadmitManagedServer", "let in"),
            entry(11, "DeleteAccount", "refused", success=False),
            entry(12, "EditCloudTenant", "gone", after={"Password": "changed"}),
            entry(13, "DeleteCloudTenant", "gone"),
            entry(14, "LogOn", "admin"),
            entry(15, "EditCloudTenant", "less", before={"Speed": 9}, after={"Speed": 1}),
        ],
        1,
    )
    assert [each.text for each in found.revocations] == [
        "Tenant off: disabled",
        "Tenant leaked: another password",
        "RevokeManagedServer stolen",
        "DeleteCloudTenant gone",
        "Tenant less: Speed from 9 to 1",
    ]
    assert (found.changes, found.last_at) == (12, "2030-01-01T00:00:15Z")
