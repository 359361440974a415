"""Traffic shaper: how fast may each tunnel be, by what tenants were sold, and fairly?

The kernel slows each connection of a tunnel; the rates are set anew five times a second from what
each has sent meanwhile. Tunnels that send little leave their share to the others. Setting a rate
touches neither the tunnel nor Envoy's configuration. While there is no limit and the gateway has
room, nothing is measured and nothing set.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

from cloudgate.background import Job
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.envoy.start_rates import UNPACED_BYTES
from cloudgate.host.platform import Pacing, SentBytes
from cloudgate.host.shaping.congestion import CongestionMonitor
from cloudgate.host.shaping.connection_rates import ConnectionShare, TokenBucket, rates_within
from cloudgate.host.shaping.fair_share import FairShare
from cloudgate.host.shaping.held_back import HeldBackMeter
from cloudgate.host.shaping.rate_allocations import RateAllocations
from cloudgate.host.shaping.rate_meter import LastSample, RateMeter
from cloudgate.host.shaping.start_rate_grants import GrantedRate, NewTunnel, StartRateGrants
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.network.connection_names import has_both_ends
from cloudgate.protocol import Restraint

REVIEW_SECONDS = 0.2
NEWCOMERS_SECONDS = 0.05
"""Between two reviews while a tunnel has begun that the access log does not speak of yet."""
LONGEST_PAUSE_SECONDS = 5.0
"""However often that has failed."""
MAX_CPU_SHARE = 0.1
"""Of one processor, that reviews may take: with very many tunnels they are rarer."""
CLOSE_ENOUGH = 0.03
"""A rate that differs by no more than this part is left as it is."""
FIRST_SECONDS = 2.0
"""So long all are looked at, from the first look that came to its end: a host service before this
one may have slowed some."""
ACCOUNT_SECONDS = 2.0
"""How long it is remembered what a tenant without tunnels has sent too much or too little, and from
one review to the next however far they are apart."""
WAITING_BYTES = 64 * 1024
"""Of whom so much waits to be read, the gateway has no time for."""
FAIR_SECONDS = 0.15
"""Between two looks at what a full gateway leaves to each tenant, while they are the same."""
ARRIVING_SECONDS = 2.0
"""So long, and at one review, room is made for a tenant of which no tunnel comes to be known."""
MOST_LOOKED_FOR = 64
"""So many connections of a tenant are looked for when one more begins."""
UNSEEN_PART = 0.3
"""The most of a limit that is kept for newcomers whose connections to targets are not known."""

_Names = dict[str, int]
"""The connections of a tenant, each with the process id of the Envoy that has it."""


class TrafficShaper:
    """Sets the rate of each connection again and again, so that tenants keep to their speed."""

    def __init__(
        self,
        envoys: EnvoyProcesses,
        directory: TenantDirectory,
        tracker: TunnelTracker,
        allowances: RateAllocations,
        *,
        fairness: FairShare,
        starts: StartRateGrants,
        load: CongestionMonitor | None = None,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """What it needs.

        Args:
            envoys: the processes that carry tunnels.
            directory: what tenants were sold.
            tracker: the live tunnels.
            allowances: this gateway's part of what was sold.
            fairness: divides a full gateway.
            starts: with how much tunnels begin.
            load: whether the gateway may have no room for more; None to find out.
            clock_seconds: that what is sent each second is taken by.
        """
        self._clock_seconds = clock_seconds
        self._envoys = envoys
        self._directory = directory
        self._tracker = tracker
        self._allowances = allowances
        self._fairness = fairness
        self._starts = starts
        self._load = load or CongestionMonitor(lambda: envoys.pids)
        self._pacing: dict[int, Pacing] = {}
        self._rates: dict[str, int] = {}
        """What connections may send that are slowed."""
        self._flows = RateMeter()
        self._accounts: dict[UUID, TokenBucket] = {}
        self._fair: Mapping[UUID, int] = {}
        """What a full gateway leaves to each tenant."""
        self._fair_at_seconds = 0.0
        self._arriving: dict[UUID, float] = {}
        """When tenants came that no tunnel is known of yet, while the gateway is shared."""
        self._unseen: dict[UUID, int] = defaultdict(int)
        """What tunnels that have ended sent after the last look, by tenant."""
        self._new: set[str] = set()
        """Connections of tunnels that have begun since the last look."""
        self._of: dict[UUID, _Names] = {}
        """The connections of those who are held back, as they were at the last look."""
        self._given_back: set[str] = set()
        """Those that were found to be gone since."""
        self._carrying: _Names = {}
        """The connections of tunnels, as they were at the last look, and of those since."""
        self._looks_at_all_until: float | None = None
        """None until a look at all came to its end."""
        self._reviewed_at_seconds = clock_seconds()
        """When the last review was that came to its end."""
        self.held_back = HeldBackMeter()
        """Whom it held back, and for how long."""
        starts.pacer = self

    @property
    def parts(self) -> Mapping[str, float]:
        """How much is used of what carries tunnels, as far as it is known: 1 for all of it."""
        return self._load.parts

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Keeping tenants to their speed",
            attempt=self._round,
            interval_seconds=0.0,
            longest_pause_seconds=LONGEST_PAUSE_SECONDS,
        )

    async def _round(self) -> None:
        self._starts.news.clear()
        began = time.thread_time()  # not what others made it wait
        self.review()
        rest_seconds = max(NEWCOMERS_SECONDS, (time.thread_time() - began) / MAX_CPU_SHARE)
        await asyncio.sleep(rest_seconds)
        if not self._starts.newcomers() and rest_seconds < REVIEW_SECONDS:
            await _happens(self._starts.news, REVIEW_SECONDS - rest_seconds)

    def review(self) -> None:
        """Set the rates anew.

        Raises:
            UnavailableError: this system does not let the host service do so.
        """
        if self._starts.newcomers():
            self._tracker.read()
        self._take_in_ended()
        ended, self._unseen = self._unseen, defaultdict(int)
        names = self._names()
        sold = {tenant_id: self._contract_limit(tenant_id) for tenant_id in names}
        limited = [who for who, limit in sold.items() if limit is not None]
        self._load.sample()
        may_be_full = self._load.worker_is_busy or self._load.line_is_full
        is_measured = bool(names) and (may_be_full or self._fairness.is_active)
        looks_at_all = is_measured or self._looks_at_all
        sent = self._read_sent(names, None if looks_at_all else {*limited})
        self._allowances.report_demand({who: self._speed(names[who]) for who in limited})
        self._fair = self._fair_shares(names, sent) if is_measured else {}
        wanted: dict[str, int | None] = {}
        granted: dict[UUID, GrantedRate] = {}
        self._of, self._given_back = {}, set()
        now = self._clock_seconds()
        oldest = self._oldest_that_counts(now, ACCOUNT_SECONDS)
        accounts = {who: each for who, each in self._accounts.items() if each.at_seconds >= oldest}
        for tenant_id, its in names.items():
            limit = _least(sold[tenant_id], self._fair.get(tenant_id))
            if limit is None:
                # Those that were slowed are not any more, also by a host service before this one.
                free = (name for name in its if name in sent and sent[name].rate_bytes)
                wanted |= dict.fromkeys(free)
                continue
            account = accounts.setdefault(tenant_id, TokenBucket(now))
            account.record_sent(now, limit, self._flows.new_bytes(its) + ended.get(tenant_id, 0))
            within = account.within(limit) - self._kept_for_newcomers(tenant_id, limit)
            there = [name for name in its if not self._flows.is_gone(name)]
            parts = rates_within(within, {name: self._line(name) for name in there})
            wanted |= parts
            pressing = [parts[name] for name in there if self._flows.is_pressing(name)]
            if pressing:
                is_sold = sold[tenant_id] == limit
                restraint = Restraint.LIMIT if is_sold else Restraint.SHARE
                self.held_back.record(tenant_id, restraint, now, self._reviewed_at_seconds)
            granted[tenant_id] = GrantedRate(len(pressing), sum(pressing))
            self._of[tenant_id] = its
        self._accounts = accounts
        self._starts.follow(granted)
        self._carrying = {name: pid for its in names.values() for name, pid in its.items()}
        self._set(wanted, sent, self._carrying)
        self._reviewed_at_seconds = now
        if self._looks_at_all_until is None and self._tracker.is_certain:
            self._looks_at_all_until = now + FIRST_SECONDS

    @property
    def _looks_at_all(self) -> bool:
        """Whether somebody may be slowed that nobody here knows of."""
        until = self._looks_at_all_until
        return until is None or self._clock_seconds() < until

    def _oldest_that_counts(self, now_seconds: float, within_seconds: float) -> float:
        """What was noted at the last review, or after it, is never too old for this one."""
        return min(now_seconds - within_seconds, self._reviewed_at_seconds)

    def limit_of(self, tenant_id: UUID) -> int | None:
        """What a newcomer's tenant may send, less what it owes; what it saved, reviews give out."""
        limit = _least(self._contract_limit(tenant_id), self._fair.get(tenant_id))
        account = self._accounts.get(tenant_id)
        if limit is None or account is None:
            return limit
        return min(limit, int(account.within(limit)))

    def slow(self, client: str, rate_bytes: int) -> str:
        """Slow a connection that is about to be a tunnel, known by its other end; its name."""
        pid = self._envoys.pid
        if pid is None:
            return client
        pacing = self._pacing.setdefault(pid, Pacing(pid))
        # By the client's end alone it may be one that came from there to another address of ours.
        name = pacing.connection_from(client, self._carrying)
        pacing.set({name: rate_bytes})
        self._carrying[name] = pid
        self._rates[name] = rate_bytes  # a review looks at it, whosever it is
        return name

    def take_in_news(self, tenant_id: UUID) -> None:
        """Somebody begins: see who of the tenant has left, which the log may not say yet."""
        self._tracker.read()
        self._take_in_ended()
        by_pid: dict[int, list[str]] = defaultdict(list)
        for name, pid in self._of.get(tenant_id, {}).items():
            if self._flows.is_pressing(name) and name not in self._given_back:
                by_pid[pid].append(name)
        if sum(map(len, by_pid.values())) > MOST_LOOKED_FOR:
            return  # one more or less hardly counts
        for pid, names in by_pid.items():
            there = self._pacing.setdefault(pid, Pacing(pid)).sent_by(names)
            self._give_back(tenant_id, set(names) - there.keys())

    def _take_in_ended(self) -> None:
        """Take note of what tunnels have sent by their end that was not seen before."""
        ended, slots = self._tracker.take_ended()
        newcomers = dict(self._starts.newcomers())
        self._starts.hand_over(slots)
        now = self._clock_seconds()
        gone: list[str] = []
        for each in ended:
            tunnel = each.tunnel
            names = tunnel.connections
            newcomer = newcomers.get(tunnel.slot_id)
            if newcomer is not None:
                self._follow_name(newcomer, tunnel)
            pasts = [self._flows.past(name) for name in names]
            ended_at = now - max(0.0, each.ago.total_seconds())
            self._unseen[tunnel.tenant_id] += _unseen_bytes(tunnel, pasts, newcomer, ended_at)
            self._give_back(tunnel.tenant_id, names)
            gone += names
        for pacing in self._pacing.values():
            pacing.forget(gone)

    def _follow_name(self, newcomer: NewTunnel, tunnel: Tunnel) -> None:
        """The log may name a newcomer's connection by more or fewer ends than it was found by.

        Two names by both ends are two connections.
        """
        before, after = newcomer.connection, tunnel.client_connection
        if not (has_both_ends(before) and has_both_ends(after)):
            self._flows.rename(before, after)

    def _give_back(self, tenant_id: UUID, names: Iterable[str]) -> None:
        """What these connections had of the limit is for others."""
        freed = []
        for name in names:
            if name not in self._given_back and self._flows.is_pressing(name):
                freed.append(self._rates.get(name, 0))
                self._given_back.add(name)
        if freed:
            self._starts.give_back(tenant_id, GrantedRate(len(freed), sum(freed)))

    def _names(self) -> dict[UUID, _Names]:
        found: dict[UUID, _Names] = defaultdict(dict)
        pids: dict[str, int | None] = {}
        self._new = {each.connection for each in self._starts.newcomers().values()}
        newcomers = self._starts.newcomers()
        seen = []
        for each in self._tracker.live:
            if each.envoy not in pids:
                pids[each.envoy] = self._envoys.pid_of(each.envoy)
            pid = pids[each.envoy]
            if pid is not None:
                found[each.tenant_id].update((name, pid) for name in each.connections)
            if (newcomer := newcomers.get(each.slot_id)) is not None:
                seen.append(each.slot_id)
                self._follow_name(newcomer, each)
                self._rates |= dict.fromkeys(each.connections, newcomer.rate_bytes)
                self._new.update(each.connections)
        self._starts.hand_over(seen)
        current = self._envoys.pid
        for newcomer in self._starts.newcomers().values():
            if current is not None:
                found[newcomer.tenant_id][newcomer.connection] = current
        oldest = self._oldest_that_counts(self._clock_seconds(), ARRIVING_SECONDS)
        self._arriving = {
            who: at for who, at in self._arriving.items() if at >= oldest and who not in found
        }
        for tenant_id in self._arriving:
            found[tenant_id] = {}
        return found

    def _contract_limit(self, tenant_id: UUID) -> int | None:
        tenant = self._directory.by_id(tenant_id)
        limit = tenant.speed_limit_bytes if tenant else None
        return None if limit is None else self._allowances.limit_for(tenant_id, limit)

    def _kept_for_newcomers(self, tenant_id: UUID, limit: int) -> float:
        rates = (
            each.rate_bytes
            for each in self._starts.newcomers().values()
            if each.tenant_id == tenant_id
        )
        return min(sum(rates), UNSEEN_PART * limit)

    def _fair_shares(
        self, names: Mapping[UUID, _Names], looked: Mapping[str, SentBytes]
    ) -> Mapping[UUID, int]:
        """What a full gateway leaves to each tenant."""
        now = self._clock_seconds()
        somebody_came = not names.keys() <= self._fair.keys()
        is_due = now - self._fair_at_seconds >= FAIR_SECONDS
        if not is_due and not (somebody_came and self._fairness.is_active):
            return self._fair
        if not any(self._flows.is_measured(name) for its in names.values() for name in its):
            return self._fair
        self._fair_at_seconds = now
        sent = {who: self._speed(its) for who, its in names.items()}
        waiting = set() if self._load.line_is_full else self._waiting(looked)
        return self._fairness.allocate(
            sent, is_full=self._load.line_is_full or bool(waiting), waiting=waiting
        )

    def _waiting(self, looked: Mapping[str, SentBytes]) -> set[UUID]:
        """Whose data wait to be read by Envoy, though where they go to there is room for them."""
        return {
            tunnel.tenant_id
            for tunnel in self._tracker.live
            if (ends := [looked[name] for name in tunnel.connections if name in looked])
            and not any(each.has_more for each in ends)
            and max(each.unread_bytes for each in ends) >= WAITING_BYTES
        }

    def make_room(self, tenant_id: UUID) -> None:
        """Somebody is about to come: who has all that there is gives up a part of it at once."""
        if self._fairness.is_active and tenant_id not in self._fair:
            self._arriving[tenant_id] = self._clock_seconds()
            self._starts.news.set()

    def _speed(self, names: Iterable[str]) -> float:
        """What a tenant has sent each second lately, in both directions."""
        return sum(self._flows.rate(name) for name in names)

    def _line(self, name: str) -> ConnectionShare:
        return ConnectionShare(self._flows.rate(name), self._flows.is_pressing(name))

    def _read_sent(
        self, names: Mapping[UUID, _Names], whose: set[UUID] | None
    ) -> dict[str, SentBytes]:
        """What connections have sent: of all tenants, or some, and all that are slowed."""
        by_pid: dict[int, list[str]] = defaultdict(list)
        for tenant_id, its in names.items():
            for name, pid in its.items():
                if whose is None or tenant_id in whose or name in self._rates:
                    by_pid[pid].append(name)
        sent: dict[str, SentBytes] = {}
        for pid, some in by_pid.items():
            sent |= self._pacing.setdefault(pid, Pacing(pid)).sent_by(some)
        current = self._envoys.pid
        self._pacing = {
            pid: each for pid, each in self._pacing.items() if pid in by_pid or pid == current
        }
        self._flows.sample(self._clock_seconds(), sent, self._rates, self._new)
        return sent

    def _set(
        self,
        wanted: Mapping[str, int | None],
        sent: Mapping[str, SentBytes],
        pids: Mapping[str, int],
    ) -> None:
        changes: dict[int, dict[str, int | None]] = defaultdict(dict)
        for name, rate in wanted.items():
            if name in sent and not _is_close(rate, sent[name].rate_bytes):
                changes[pids[name]][name] = rate
        slowed = {name: rate for name, rate in wanted.items() if rate is not None}
        self._rates |= slowed  # should one of them fail, all are looked at again
        for pid, rates in changes.items():
            self._pacing[pid].set(rates)
        self._rates = slowed


async def _happens(event: asyncio.Event, within_seconds: float) -> None:
    try:
        async with asyncio.timeout(within_seconds):
            await event.wait()
    except TimeoutError:
        return


def _least(*limits: int | None) -> int | None:
    return min((each for each in limits if each is not None), default=None)


def _unseen_bytes(
    tunnel: Tunnel,
    pasts: Iterable[LastSample | None],
    newcomer: NewTunnel | None,
    ended_at_seconds: float,
) -> int:
    """What a tunnel that has ended sent after it was last looked at.

    The log counts also what never left this machine: what was for a tenant who had left.
    """
    known = [past for past in pasts if past is not None]
    most = float("inf")
    if known:
        most = sum(past.most_bytes_until(ended_at_seconds) for past in known)
    elif newcomer is not None:
        lasted_seconds = max(0.0, ended_at_seconds - newcomer.at_seconds)
        most = UNPACED_BYTES + newcomer.rate_bytes * lasted_seconds
    said = tunnel.bytes_up + tunnel.bytes_down - sum(past.total_bytes for past in known)
    return int(max(0, min(said, most)))


def _is_close(rate: int | None, other: int | None) -> bool:
    if rate is None or other is None:
        return rate is other
    return abs(rate - other) <= CLOSE_ENOUGH * other
