"""Logs: one JSON object a line on stderr, with the request id and whatever else is bound to the context."""

import logging
import sys
import uuid

import structlog

REQUEST_ID_KEY = "x-request-id"
"""gRPC metadata key of the id that follows a track through every service."""


def configure_logging(service: str, level: str = "INFO") -> None:
    """Send structlog and standard logging to stderr as JSON lines that name `service`."""

    def name_service(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, **event}

    shared: list[structlog.typing.Processor] = [
        name_service,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # It warns of each connection that it tries again; what comes of it is raised.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def current_request_id() -> str:
    """The request id bound to this context, or a new one."""
    bound = structlog.contextvars.get_contextvars().get("request_id")
    return str(bound) if bound else uuid.uuid4().hex
