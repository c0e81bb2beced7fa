"""The JSON schema of a configuration file's model, for editors and for docs/configuration.md."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema


class _Plain(GenerateJsonSchema):
    """Without titles that only say the name of a key again."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of what a model reads.

    `description` is a key's sentence, of a section that has none its class's first line; `title`,
    where there is one, its type in a person's words.
    """
    schema = model.model_json_schema(schema_generator=_Plain)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = schema.get("$defs", {})
    parts = (schema, *definitions.values())
    for key in (key for part in parts for key in part.get("properties", {}).values()):
        if "$ref" in key and "description" not in key:
            told = definitions[key["$ref"].rpartition("/")[2]]["description"]
            key["description"] = told.partition("\n")[0]
    for part in parts:
        for word in ("title", "description"):  # the class's, for those who read the code
            part.pop(word, None)
    return schema
