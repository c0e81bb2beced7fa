"""Withdrawals carried without a plan: contact ends today, whenever the list's turn comes."""

from activation.audiences import load_audiences
from activation.channels import make_channel
from activation.channels.base import resolve_remote
from activation.leases import hold_lease
from activation.policy import load_policy
from activation.suppression import push_suppressions
from khach.environment import Environment


def carry_withdrawals(env: Environment, sync_id: str) -> int:
    """Carry what was withdrawn since to the sync's destination; contacts unsubscribed now.

    For a sync that is not applied in a run: a weekly one within its week, or one whose rows the
    gate on the way out refused. Where a channel knows no unsubscribe, people leave with the next
    plan.

    Raises ConfigError for an unknown sync or variable; BusyError when another apply runs or the
    channel stops answering.
    """
    audience, sync = load_audiences(env).find_sync(sync_id)
    if not sync.capabilities.can_suppress:
        return 0
    remote = resolve_remote(sync.capabilities, sync.remote, sync.id)
    channel = make_channel(env, sync.channel, sync.remote, sync.id)
    with hold_lease(env, sync.id) as lease:
        return push_suppressions(
            env,
            audience,
            sync,
            channel=channel,
            policy=load_policy(env),
            remote=remote,
            lease=lease,
        )
