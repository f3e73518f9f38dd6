"""The table of counts and outcomes, where each item is changed under a condition."""

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from functions.aws import clients
from functions.aws.calls import trace
from functions.settings import Runtime

CONNECTIONS: Final = 3
"""The items that a confirmation with a key changes at once, from an IPv4 address."""


class ConditionFailedError(Exception):
    """The item does not meet the condition. `item` is the item as it is."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        super().__init__()
        self.item = item


class Table:
    """The items by their `id`. Every method can also raise one of `clients.ERRORS`."""

    def __init__(self, settings: Runtime) -> None:
        self._settings = settings

    def put(self, id_: str, item: Mapping[str, Any], condition: str, **values: Any) -> None:
        """Store an item, or raise a `ConditionFailedError`."""
        self._change(
            "PutItem",
            Item={"id": {"S": id_}, **item},
            ConditionExpression=condition,
            ExpressionAttributeValues=_name(values),
        )

    def update(
        self, id_: str, expression: str, condition: str = "attribute_exists(id)", **values: Any
    ) -> Mapping[str, Any]:
        """Change an item and return its new attributes, or raise a `ConditionFailedError`."""
        response = self._change(
            "UpdateItem",
            Key={"id": {"S": id_}},
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=_name(values),
            ReturnValues="UPDATED_NEW",
        )
        attributes: Mapping[str, Any] = response["Attributes"]
        return attributes

    def get(self, id_: str) -> Mapping[str, Any]:
        """Return an item as it is now, empty if there is none."""
        table, key = self._settings.table_name, {"id": {"S": id_}}
        with trace("GetItem"):
            found = clients.request("GetItem", TableName=table, Key=key, ConsistentRead=True)
        item: Mapping[str, Any] = found.get("Item", {})
        return item

    def delete(self, id_: str) -> None:
        """Delete an item."""
        key = {"id": {"S": id_}}
        with trace("DeleteItem"):
            clients.request("DeleteItem", TableName=self._settings.table_name, Key=key)

    def _change(self, action: str, **parameters: Any) -> dict[str, Any]:
        with trace(action):
            try:
                return clients.request(
                    action,
                    TableName=self._settings.table_name,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **parameters,
                )
            except ClientError as error:
                if clients.name(error) != "ConditionalCheckFailedException":
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]
        raise ConditionFailedError(item)


def _name(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f":{name}": value for name, value in values.items()}
