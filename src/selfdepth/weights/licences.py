"""Licences of models that are shared: their names on the hub, and what a model inherits from the one it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from selfdepth.errors import ConfigError

PUBLISHED_LICENCE = "monodepth2-non-commercial"
"""Our short name for the terms of the weights that the paper's authors published."""

_WORDS = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0
cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0
cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0
epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc lppl-1.3c
ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl
"""
HUB_LICENCES = frozenset(_WORDS.split())
"""What the hub takes as `license` of a model card; anything else is "other", with a name."""

_NON_COMMERCIAL = re.compile(r"(^|-)nc(-|$)|non-?commercial")


@dataclass(frozen=True)
class Licence:
    """The licence of a model.

    Attributes:
        name: as it is written, in small letters.
        inherited_from: the model with whose weights this one started or from which it learned, if that gave it.
    """

    name: str
    inherited_from: str | None = None

    @property
    def front_matter(self) -> dict[str, str]:
        """The fields of a model card."""
        if self.name in HUB_LICENCES:
            return {"license": self.name}
        return {"license": "other", "license_name": self.name}

    @property
    def is_non_commercial(self) -> bool:
        """Whether it says that commercial use is not allowed."""
        return _NON_COMMERCIAL.search(self.name) is not None


def chosen_licence(asked: str | None, inherited: Licence | None) -> Licence | None:
    """The licence to share a model under.

    Args:
        asked: what the user says.
        inherited: what the model brings along. If that is non-commercial, so must be what is asked for.

    Raises:
        ConfigError: for a name that the hub cannot take, or that gives more than the model's own licence does.
    """
    if asked is None:
        return inherited
    name = asked.strip().lower().replace(" ", "-")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,63}", name):
        expected = "the short name of a licence, such as apache-2.0, cc-by-nc-4.0 or my-own-terms"
        raise ConfigError("this is no name of a licence", where="--licence", expected=expected, got=asked[:100])
    licence = Licence(name)
    if inherited is not None and inherited.is_non_commercial and not licence.is_non_commercial:
        source = f", of {inherited.inherited_from}" if inherited.inherited_from else ""
        raise ConfigError(
            "the model is for non-commercial use only, and its licence goes with it",
            where="--licence",
            expected=f"{inherited.name}{source}, or another non-commercial one such as cc-by-nc-4.0",
            got=name,
            fix="leave the option out",
        )
    return licence
