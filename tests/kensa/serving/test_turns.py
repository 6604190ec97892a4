"""So many are admitted, and no more; a place is free again after its request."""

from __future__ import annotations

import asyncio

import pytest

from kensa.serving.bodies import Refused
from kensa.serving.turns import Turns


def test_places_are_taken_refused_and_free_again():
    async def use():
        turns = Turns(at_once=1, queue=1)
        async with turns.admit(), turns.admit():
            with pytest.raises(Refused) as refused:
                async with turns.admit():
                    pass
            assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
            assert turns.admitted == 2
        with pytest.raises(KeyError):
            async with turns.admit():
                raise KeyError
        assert turns.admitted == 0

    asyncio.run(use())
