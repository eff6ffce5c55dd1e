"""The C functions are those of the contract."""

from __future__ import annotations

from aquant_ref.conformance.adapters.library import abi
from aquant_ref.conformance.contract import OPERATIONS, get
from tests.meta.libraries import HERE


def test_the_header_is_that_of_the_contract() -> None:
    assert (HERE / "kernel.h").read_text() == abi.header()  # to write anew where the contract grows


def test_a_scalar_operation_takes_columns() -> None:
    assert abi.declaration(get("round")) == (
        "int32_t aquant_round(int64_t cases, const char *variation, const char *rounding, "
        "const double *t, int64_t *n);"
    )


def test_an_operation_on_tensors_takes_numbers_pairs_and_shapes() -> None:
    assert abi.declaration(get("thresholds")) == (
        "int32_t aquant_thresholds(const char *variation, const int32_t *acc, "
        "const int64_t *acc_shape, const int64_t *thresholds, const int64_t *thresholds_shape, "
        "int32_t least, int32_t *q, int64_t *q_shape);"
    )
    assert "const int32_t *stride, const int32_t *padding" in abi.declaration(get("max_pool2d"))


def test_only_a_whole_program_has_no_function() -> None:
    assert [name for name, each in OPERATIONS.items() if not abi.expressible(each)] == ["program"]
