"""Model shapes: derived parameter counts against the published sizes, spellings, and what a wrong name answers."""

import pytest

from device_model.workloads.models.families import llama
from device_model.workloads.models.lookup import UnknownModelError
from device_model.workloads.models.shapes import SHAPES, ModelShape, shape_for

PUBLISHED_MILLIONS = {
    "llama-7b": 6738, "llama-13b": 13016, "llama-30b": 32529, "llama-65b": 65286,
    "Llama-2-7b": 6738, "Llama-2-13b": 13016, "Llama-2-70b": 68977,
    "Llama-3-8B": 8030, "Llama-3-70B": 70554, "Llama-3.1-8B": 8030, "Llama-3.1-70B": 70554,
    "Llama-3.1-405B": 405853, "Llama-3.2-1B": 1236, "Llama-3.2-3B": 3213, "Llama-3.3-70B": 70554,
    "CodeLlama-7b-hf": 6739, "CodeLlama-13b-hf": 13016, "CodeLlama-34b-hf": 33744, "CodeLlama-70b-hf": 68977,
    "TinyLlama-1.1B": 1100, "Mistral-7B": 7242, "Mistral-7B-v0.3": 7248, "Qwen2-7B": 7616, "Qwen2.5-7B": 7616,
    "Qwen2-72B": 72706, "Phi-3-mini-4k": 3821,
    "opt-125m": 125, "opt-1.3b": 1316, "opt-2.7b": 2652, "opt-6.7b": 6658, "opt-13b": 12853, "opt-30b": 29975,
    "opt-66b": 65720, "opt-175b": 175000,
    "gpt2": 124.4, "gpt2-medium": 355, "gpt2-large": 774, "gpt2-xl": 1558, "gpt-j-6b": 6051, "gpt-neox-20b": 20555,
    "pythia-6.9b": 6857, "pythia-12b": 11846,
    "bloom-560m": 559, "bloom-1b7": 1722, "bloom-3b": 3003, "bloom-7b1": 7069, "bloom": 176247,
    "falcon-7b": 6922, "falcon-40b": 41303,
    "bert-base-uncased": 109.5, "bert-large-uncased": 335.1, "bert-base-cased": 108.3, "bert-large-cased": 333.6,
    "bert-base-multilingual-cased": 177.9, "roberta-base": 124.6, "roberta-large": 355.4,
    "distilroberta-base": 82.1, "xlm-roberta-base": 278.0, "xlm-roberta-large": 559.9, "camembert-base": 110.6,
    "electra-small": 13.5, "electra-base": 108.9, "electra-large": 334.1, "distilbert-base-uncased": 66.4,
    "distilbert-base-cased": 65.2, "albert-base-v2": 11.7, "albert-large-v2": 17.7, "albert-xlarge-v2": 58.7,
    "all-MiniLM-L6-v2": 22.7, "all-MiniLM-L12-v2": 33.4, "xlm-mlm-en-2048": 667,
    "vit-base-patch16-224": 86.6, "vit-base-patch32-224": 88.2, "vit-large-patch16-224": 304.3,
    "vit-huge-patch14-224": 632, "deit-tiny-patch16-224": 5.7, "deit-small-patch16-224": 22.1,
    "deit-base-patch16-224": 86.6,
}  # fmt: skip
OUR_OWN = {"encoder-1b": 1000}


def test_every_shape_has_a_published_size_to_check_it_against() -> None:
    assert set(PUBLISHED_MILLIONS | OUR_OWN) == set(SHAPES)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)
def test_derived_parameters_are_within_two_percent_of_the_published_size(shape: ModelShape) -> None:
    assert shape.parameters / 1e6 == pytest.approx((PUBLISHED_MILLIONS | OUR_OWN)[shape.name], rel=0.02)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)
def test_the_parts_of_a_shape_agree(shape: ModelShape) -> None:
    assert shape.heads * shape.head_dim == shape.width
    assert shape.heads % shape.kv_heads == 0
    layers = shape.stored_layers * (shape.attention_parameters + shape.ffn_parameters)
    assert layers + shape.outer_parameters == shape.parameters
    assert 0 < shape.outer_parameters < shape.parameters
    assert 0 < shape.streamed_parameters <= min(shape.parameters, shape.multiplied_parameters)


def test_only_albert_shares_its_layers() -> None:
    shared = {name for name, shape in SHAPES.items() if shape.stored_layers != shape.layers}
    assert shared == {"albert-base-v2", "albert-large-v2", "albert-xlarge-v2"}
    albert, bert = shape_for("albert-base-v2"), shape_for("bert-base-uncased")
    assert albert.multiplied_parameters == bert.multiplied_parameters == 12 * albert.streamed_parameters


def test_a_step_reads_the_output_table_and_looks_up_the_input_table() -> None:
    separate, tied = shape_for("Llama-3-8B"), shape_for("Llama-3.2-3B")
    assert separate.parameters - separate.streamed_parameters == pytest.approx(128256 * 4096, rel=1e-3)
    assert tied.parameters - tied.streamed_parameters < 1e6


def test_a_family_builds_shapes_of_other_sizes() -> None:
    custom = llama("mine", 22, 2048, 32, 4, 5632, 32000, 2048)
    assert custom.parameters == pytest.approx(1.1e9, rel=0.02)
    assert custom.head_dim == 64


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("llama-2-71B", "Llama-2-7b"), ("opt-67b", "opt-6.7b"), ("zzz", None), ("opt-350m", "opt-30b")],
)
def test_an_unknown_name_is_refused_and_the_nearest_named(asked: str, nearest: str | None) -> None:
    with pytest.raises(UnknownModelError) as refusal:
        shape_for(asked)
    assert refusal.value.nearest == nearest
    assert asked in str(refusal.value)
    assert ("did you mean" in str(refusal.value)) is (refusal.value.nearest is not None)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("opt-66b", "opt-66b"),
        ("facebook/OPT-66B", "opt-66b"),
        ("opt_1.3b", "opt-1.3b"),
        ("meta-llama/Llama-2-70b-chat-hf", "Llama-2-70b"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "Llama-3-8B"),
        ("llama-3.1-405b", "Llama-3.1-405B"),
        ("codellama/CodeLlama-34b-Instruct-hf", "CodeLlama-34b-hf"),
        ("CodeLlama-7b", "CodeLlama-7b-hf"),
        ("mistralai/Mistral-7B-Instruct-v0.2", "Mistral-7B"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "Mistral-7B"),
        ("Mistral-7B-v0.3", "Mistral-7B-v0.3"),
        ("google/electra-base-discriminator", "electra-base"),
        ("FacebookAI/xlm-roberta-base", "xlm-roberta-base"),
        ("google/vit-base-patch16-224", "vit-base-patch16-224"),
        ("bert-base-cased-finetuned-mrpc", "bert-base-cased"),
        ("tiiuae/falcon-7b-instruct", "falcon-7b"),
        ("EleutherAI/gpt-j-6B", "gpt-j-6b"),
    ],
)
def test_a_model_is_found_by_the_ways_people_write_it(asked: str, found: str) -> None:
    assert shape_for(asked).name == found
