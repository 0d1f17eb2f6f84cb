"""Cloud accounts of stemhouse/v1/router.proto <-> stemhouse.cloud."""

from stemhouse.cloud import CloudAccount
from stemhouse.v1 import router_pb2 as pb


def cloud_account_to_proto(account: CloudAccount) -> pb.CloudAccount:
    """Value to message."""
    return pb.CloudAccount(
        account=account.account,
        is_allowed=account.is_allowed,
        minutes_per_day=account.minutes_per_day,
        minutes_today=account.minutes_today,
        minutes_left=account.minutes_left,
        minutes_reserved=account.minutes_reserved,
        minutes_uncertain=account.minutes_uncertain,
    )


def cloud_account_from_proto(message: pb.CloudAccount) -> CloudAccount:
    """Message to value."""
    return CloudAccount(
        account=message.account,
        is_allowed=message.is_allowed,
        minutes_per_day=message.minutes_per_day,
        minutes_today=message.minutes_today,
        minutes_left=message.minutes_left if message.HasField("minutes_left") else None,
        minutes_reserved=message.minutes_reserved,
        minutes_uncertain=message.minutes_uncertain,
    )
