"""What the sandbox raises; it knows nothing of the product's own errors."""


class SandboxError(RuntimeError):
    """The sandbox cannot do what was asked; the message says why and what to do."""
