from __future__ import annotations

from aquant_ref.nn.fold import fold_batch_norm
from aquant_ref.nn.graph import INPUT
from aquant_ref.nn.training.train import initial_parameters
from aquant_ref.ptq.placement import boundary_layers, boundary_tensors, layer_bits, tensor_bits
from reference_models import resnet8


def test_resnet8_has_its_quantizers_where_the_contract_says() -> None:
    network = resnet8.build()
    folded, _ = fold_batch_norm(network, initial_parameters(network, 0))
    assert tensor_bits(folded, 2) == {
        INPUT: 8,
        "stem.relu": 2,
        "stack1.relu1": 2,
        "stack1.relu2": 2,
        "stack2.relu1": 2,
        "stack2.relu2": 2,
        "stack3.relu1": 2,
        "stack3.relu2": 8,
        "head.pool": 8,
    }
    bits = layer_bits(folded, 2)
    assert {n for n, b in bits.items() if b == 8} == {"stem.conv", "head.linear"}
    assert boundary_layers(folded) == {"stem.conv", "head.linear"}
    assert boundary_tensors(folded) == {INPUT, "stack3.relu2", "head.pool"}
