"""Numbers that are larger than what a column holds: nothing has them, whatever the database."""

import httpx2
import pytest

pytestmark = pytest.mark.both_databases

LARGE = (2**31 - 1, 2**31, 2**63 - 1)
"""The largest that a column of 32 bits holds, one more, and the largest that is a number here."""


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/query?type=BackupServer&", "Port"),
        ("/query?type=CloudSubtenant&", "Quota"),
        ("/query?type=CloudSubtenant&", "UsedQuota"),
        ("/query?type=Repository&", "FreeSpace"),
        ("/query?type=Repository&", "Capacity"),
        ("/audit?", "Number"),
        ("/audit?", "Code"),
        ("/cloud/usage?", "Minutes"),
        ("/cloud/usage?", "Tunnels"),
        ("/cloud/usage?", "BytesUp"),
        ("/cloud/usage?", "BytesDown"),
    ],
)
def test_nothing_has_a_number_that_is_too_large(
    client: httpx2.Client, path: str, field: str
) -> None:
    for number in LARGE:
        for sign in ("", "-"):
            answer = client.get(f"{path}filter={field}=={sign}{number}")
            assert answer.status_code == 200, answer.text


def test_all_of_a_list_is_below_a_number_that_is_too_large(client: httpx2.Client) -> None:
    for number in LARGE:
        found = client.get(f"/query?type=BackupServer&filter=Port<{number}").json()
        assert len(found["Refs"]["Refs"]) == 1
        assert client.get(f"/audit?filter=Number>{number}").json()["AuditEvents"] == {
            "AuditEvents": []
        }


@pytest.mark.parametrize(
    "path",
    [
        "/query?type=CloudTenant",
        "/query?type=Repository",
        "/audit?sortAsc=Number",
        "/cloud/usage?total=true",
    ],
)
def test_the_last_page_that_may_be_asked_for_is_empty(client: httpx2.Client, path: str) -> None:
    for size in (1, 100, 10_000):
        answer = client.get(f"{path}&page={2**31 - 1}&pageSize={size}")
        assert answer.status_code == 200, answer.text


def test_there_is_no_task_of_a_number_that_is_too_large(client: httpx2.Client) -> None:
    for number in LARGE:
        for path in (f"/tasks/task-{number}", f"/tasks/task-{number}/timeline"):
            assert client.get(path).status_code == 404
        assert client.delete(f"/tasks/task-{number}").status_code == 404
