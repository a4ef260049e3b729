"""Compile every indicator's kernels once, in two processes: ``python -m tests.contract.compiled``.

Tests run in several processes, of which each would compile most kernels for itself.
"""

from __future__ import annotations

from tallow.core.spec import make_spec, parse_specs
from tallow.plan.plan import make_plan
from tallow.runtime.warming import compile_plan, is_plan_compiled
from tests.contract.cases import CASES


def main() -> None:
    """Compile what is not compiled yet."""
    one_each = {case.indicator.kernel(case.values): case for case in CASES}
    plan = make_plan(
        [
            make_spec(each.indicator, dict(each.values), each.convention)
            for each in one_each.values()
        ]
        + list(parse_specs("cdl_doji, patterns"))
    )
    if not is_plan_compiled(plan):
        compile_plan(plan, None)


if __name__ == "__main__":
    main()
