"""Quick part of tenancy by twin files; the whole one is `faults.tenants.whole`."""

import pytest
from faults import tenants, twins


@pytest.mark.parametrize("seed", [1, 2])
def test_what_other_tenants_store_changes_nothing_that_a_tenant_is_told(seed: int) -> None:
    counts = twins.one_round(seed, 800, 24, tenants.step)
    assert counts["failures"] == 0, counts.verdict()
    assert counts["operations"] >= 800
    assert counts["checks"] >= 3
