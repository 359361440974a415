"""Protection check: does a repository keep what is deleted there? Blocks, perhaps for minutes."""

from datetime import datetime
from pathlib import Path

from cloudgate.errors import UnavailableError
from cloudgate.manager.protection import append_only, object_lock, rules
from cloudgate.manager.protection.operations import DueCheck
from cloudgate.manager.protection.rules import ProtectionFinding, ProtectionMethod
from cloudgate.manager.settings.reachable import ReachableTargets
from cloudgate.processes.programs import ask

HOOK_SECONDS = 60.0
_SHOWN_CHARACTERS = 500


def check_protection(
    wanted: DueCheck, reachable: ReachableTargets, hook: Path | None, now: datetime
) -> ProtectionFinding:
    """What is so. `hook` is the operator's program that knows of snapshots."""
    if wanted.problem:
        return ProtectionFinding(holds=None, problem=wanted.problem)
    if elsewhere := rules.elsewhere(wanted.protection, wanted.services):
        return ProtectionFinding(holds=False, problem=elsewhere)
    try:
        if wanted.protection.method is ProtectionMethod.S3:
            return object_lock.check_object_lock(wanted.protection, wanted.password, reachable)
        if wanted.protection.method is ProtectionMethod.REST_SERVER:
            return append_only.check_append_only(wanted.protection, wanted.password, reachable)
        return _of_snapshots(hook, wanted.name, now)
    except UnavailableError as problem:
        return ProtectionFinding(holds=None, problem=problem.message)


def _of_snapshots(hook: Path | None, name: str, now: datetime) -> ProtectionFinding:
    if hook is None:
        raise UnavailableError(
            "Nobody can say what snapshots there are: start the manager with --protection-hook"
            " PROGRAM."
        )
    told = f"The program {hook} (snapshots {name})"
    try:
        ended = ask([hook, "snapshots", name], seconds=HOOK_SECONDS)
    except UnavailableError as problem:
        raise UnavailableError(f"{told} failed: {problem.message}") from None
    if not ended.is_well:
        said = ended.errors.strip()[-_SHOWN_CHARACTERS:]
        return ProtectionFinding(
            holds=False,
            problem=f"{told} says no, with status {ended.status}: {said or 'it said nothing'}",
        )
    try:
        return rules.snapshots_of(ended.output, now)
    except ValueError:
        raise UnavailableError(
            f"{told} said {ended.output.strip()[:100]!r}, expected the time of the newest snapshot"
            " and for how many days they are kept, such as 2026-11-29T03:00:00Z 14."
        ) from None
