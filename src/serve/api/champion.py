"""The model in force, and taking over the next one without dropping a request."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...contract import BadInput
from ...model.registry import (
    CHAMPION,
    RegisteredBundle,
    find_version,
    load_registered_bundle,
    open_existing_tracking_store,
)
from ...settings import Settings

LOGGER = logging.getLogger("mqbg.serve")


class Champion:
    """The version that scores; requests under way keep the one that they began with."""

    def __init__(self, settings: Settings, version: str = CHAMPION) -> None:
        """Loads the model.

        Args:
            settings: name the model.
            version: champion, latest, or a number.

        Raises:
            BadInput: there is no such model.
        """
        self._name = settings.model.registered_name
        self._requested_version = version
        self._model = load_registered_bundle(self._name, version)

    @property
    def model(self) -> RegisteredBundle:
        """The version in force."""
        return self._model

    def refresh(self, adopt: Callable[[RegisteredBundle], None]) -> bool:
        """Asks the registry for another version, loads it and takes it over; whether it did.

        Args:
            adopt: makes ready what scores by it; where it raises BadInput, all stays as it is.
        """
        try:
            with open_existing_tracking_store() as (_mlflow, client):
                number = str(find_version(client, self._name, self._requested_version).version)
            if number == self._model.version:
                return False
            replacement = load_registered_bundle(self._name, number)
            adopt(replacement)
        except BadInput as error:
            LOGGER.warning("version %s goes on scoring: %s", self._model.version, error)
            return False
        LOGGER.info(
            "version %s scores from now on, after %s", replacement.version, self._model.version
        )
        self._model = replacement
        return True
