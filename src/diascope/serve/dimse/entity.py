"""Our application entity, as pynetdicom knows it."""

from __future__ import annotations

import logging

from pynetdicom import AE, _config

from diascope.serve.dimse.commands import IMPLEMENTATION


def an_entity(title: str, artim: float, idle: float) -> AE:
    """Our application entity. pynetdicom is told to be silent: what it logs are names of patients (RELIABILITY C10).

    Args:
        title: Our AE title.
        artim: Seconds until an association is asked for or accepted.
        idle: Seconds without a message, or until an answer.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    entity = AE(title)
    entity.implementation_class_uid = IMPLEMENTATION
    entity.implementation_version_name = "DIASCOPE"
    entity.acse_timeout, entity.network_timeout, entity.dimse_timeout = artim, idle, idle
    entity.connection_timeout = artim
    entity.maximum_associations = 1 << 20  # it would count strangers; the node counts those that it let in
    return entity
