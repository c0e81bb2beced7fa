"""What a row carries to the channel, and the hashes by which a change of it shows.

Fields are texts over `customers` and `offer_code`. Of everybody only the hash is computed; the
fields themselves are computed for those who go out now, and kept nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Payload:
    """`values`: field name -> SQL text over a row of `customers` and `offer_code`.

    `remote`: where to. Customer and destination are hashed with the fields: when one of them
    changes, the member is sent again. Their keys begin with `_`, which no field name may.
    """

    values: Mapping[str, str]
    remote: Mapping[str, str]

    def hash_sql(self, identifier: str) -> str:
        """SHA-256 of an identifier and its fields, over a row of `customers` and `offer_code`."""
        entries = ", ".join(f"'{name}': {value}" for name, value in self._hashed().items())
        return f"sha256({identifier} || to_json({{{entries}}}))"

    def fields_sql(self, chosen: str) -> str:
        """A query of customer_id, fields (map of texts) of the customers of the query `chosen`."""
        entries = ", ".join(f"'{name}': {value}" for name, value in sorted(self.values.items()))
        return _of_customers(f"cast(map {{{entries}}} as map(varchar, varchar)) as fields", chosen)

    def field_hashes_sql(self, chosen: str) -> str:
        """As `fields_sql`: field_hashes, name -> short hash, to name what an update changes."""
        entries = ", ".join(
            f"'{name}': sha256(customer_id || '/{name}/' || {value})[1:8]"
            for name, value in self._hashed().items()
        )
        return _of_customers(f"map {{{entries}}} as field_hashes", chosen)

    def _hashed(self) -> dict[str, str]:
        target = " ".join(f"{key}={value}" for key, value in sorted(self.remote.items()))
        quoted = target.replace("'", "''")
        values = dict(sorted(self.values.items()))
        return {"_customer": "customer_id", "_remote": f"'{quoted}'"} | values


def _of_customers(columns: str, chosen: str) -> str:
    """The columns are computed after the join: for the chosen alone."""
    return (
        f"select customer_id, {columns} from ({chosen}) as chosen "
        "inner join customers using (customer_id) left join offer_code using (customer_id)"
    )
