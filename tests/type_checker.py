"""The checker of shapes and types: as beartype, but an int passes as a float, as PEP 484 has it and mypy takes it."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
