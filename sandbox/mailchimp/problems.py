"""Refusals in the vendor's form: `application/problem+json`, and for a bad body `errors[]`.

Titles and words are those of https://mailchimp.com/developer/marketing/docs/errors/ and of
answers quoted in public issue threads; like the vendor's, they may name an address, which is why
a client must mask them and why this server never logs a body.
"""

import json
from uuid import uuid4

from starlette.responses import Response

GLOSSARY = "https://mailchimp.com/developer/marketing/docs/errors/"


class ProblemError(Exception):
    """A refusal: HTTP status, the glossary's title, a sentence, and fields that were wrong."""

    def __init__(
        self, status: int, title: str, detail: str, errors: list[tuple[str, str]] | None = None
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors

    def response(self) -> Response:
        """The answer."""
        body: dict[str, object] = {
            "type": GLOSSARY,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": str(uuid4()),
        }
        if self.errors is not None:
            body["errors"] = [{"field": f, "message": m} for f, m in self.errors]
        return Response(
            json.dumps(body, ensure_ascii=False), self.status, media_type="application/problem+json"
        )


def not_found() -> ProblemError:
    """The list, member, campaign or path does not exist."""
    return ProblemError(404, "Resource Not Found", "The requested resource could not be found.")


def invalid_body(errors: list[tuple[str, str]]) -> ProblemError:
    """The body breaks the schema; each error names a field."""
    detail = (
        "The resource submitted could not be validated."
        " For field-specific details, see the 'errors' array."
    )
    return ProblemError(400, "Invalid Resource", detail, errors)


def invalid(detail: str, errors: list[tuple[str, str]] | None = None) -> ProblemError:
    """The body is well-formed but says something the platform refuses."""
    return ProblemError(400, "Invalid Resource", detail, errors)
