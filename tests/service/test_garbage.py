"""Goal: garbage is looked for at even distances while a service's loop runs, and as before after.

Method: the looks are counted by a function in the place of the interpreter's.
"""

from __future__ import annotations

import asyncio
import gc

from tallow.service.garbage import LOOKS, look_for_garbage


def test_new_things_are_looked_at_often_and_all_seldom() -> None:
    few, many = LOOKS
    looked: list[int] = []

    async def run() -> None:
        done = asyncio.Event()

        def collect(generation: int) -> None:
            assert not gc.isenabled()
            looked.append(generation)
            if len(looked) == many:
                done.set()

        task = asyncio.create_task(look_for_garbage(collect, 0.0))
        await asyncio.wait_for(done.wait(), 30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert gc.isenabled()
    assert looked[many - 1] == 2
    before = looked[: many - 1]
    assert [at for at, each in enumerate(before, 1) if each] == list(range(few, many, few))
    assert {*before} == {0, 1}
