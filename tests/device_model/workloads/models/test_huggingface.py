"""A config.json gives the shape that the table has for the same model; a wrong one says which key."""

import json
from pathlib import Path
from typing import Any

import pytest

from device_model.workloads.models.huggingface import ConfigError, shape_from_config
from device_model.workloads.models.shapes import shape_for

LLAMA = {
    "_name_or_path": "meta-llama/Llama-2-70b", "model_type": "llama", "hidden_size": 8192, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "intermediate_size": 28672, "vocab_size": 32000,
    "max_position_embeddings": 4096,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "Llama-2-70b": LLAMA,
    "Llama-3.2-1B": {
        "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 8192, "vocab_size": 128256, "head_dim": 64,
        "max_position_embeddings": 131072, "tie_word_embeddings": True,
    },
    "Qwen2-7B": {
        "model_type": "qwen2", "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064, "max_position_embeddings": 131072,
    },
    "opt-66b": {
        "model_type": "opt", "hidden_size": 9216, "num_hidden_layers": 64, "num_attention_heads": 72,
        "ffn_dim": 36864, "vocab_size": 50272, "max_position_embeddings": 2048, "word_embed_proj_dim": 9216,
    },
    "gpt2": {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257, "n_ctx": 1024},
    "gpt-j-6b": {
        "model_type": "gptj", "n_layer": 28, "n_embd": 4096, "n_head": 16, "vocab_size": 50400, "n_positions": 2048
    },
    "gpt-neox-20b": {
        "model_type": "gpt_neox", "hidden_size": 6144, "num_hidden_layers": 44, "num_attention_heads": 64,
        "intermediate_size": 24576, "vocab_size": 50432, "max_position_embeddings": 2048,
    },
    "bloom": {"model_type": "bloom", "n_layer": 70, "hidden_size": 14336, "n_head": 112, "vocab_size": 250880},
    "falcon-7b": {
        "model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71,
        "vocab_size": 65024,
    },
    "falcon-40b": {
        "model_type": "falcon", "hidden_size": 8192, "num_hidden_layers": 60, "num_attention_heads": 128,
        "num_kv_heads": 8, "new_decoder_architecture": True, "vocab_size": 65024,
    },
    "bert-large-uncased": {
        "model_type": "bert", "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
        "intermediate_size": 4096, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2,
    },
    "xlm-roberta-base": {
        "model_type": "xlm-roberta", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1,
    },
    "albert-base-v2": {
        "model_type": "albert", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 30000, "max_position_embeddings": 512, "embedding_size": 128,
    },
    "distilbert-base-uncased": {
        "model_type": "distilbert", "dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072, "vocab_size": 30522,
        "max_position_embeddings": 512,
    },
    "vit-base-patch16-224": {
        "model_type": "vit", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "patch_size": 16, "image_size": 224,
    },
}  # fmt: skip


def written(folder: Path, document: object) -> str:
    path = folder / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_gives_the_shape_of_the_table(name: str, tmp_path: Path) -> None:
    found = shape_from_config(written(tmp_path, CONFIGS[name]))
    assert found._replace(name=name) == shape_for(name)


def test_a_shape_is_called_after_its_checkpoint_or_file(tmp_path: Path) -> None:
    assert shape_from_config(written(tmp_path, LLAMA)).name == "Llama-2-70b"
    path = written(tmp_path, {k: v for k, v in LLAMA.items() if k != "_name_or_path"})
    assert shape_from_config(path).name == path


def test_a_name_that_is_none_is_not_shown(tmp_path: Path) -> None:
    for name in (["x"], "a/b\x1b[31m", "", 3):
        path = written(tmp_path, {**LLAMA, "_name_or_path": name})
        assert shape_from_config(path).name == path


def test_a_byte_order_mark_is_no_part_of_a_config(tmp_path: Path) -> None:
    path = written(tmp_path, LLAMA)
    Path(path).write_text(Path(path).read_text(), encoding="utf-8-sig")
    assert shape_from_config(path).name == "Llama-2-70b"


def test_falcons_first_models_attend_with_all_heads(tmp_path: Path) -> None:
    document = {
        "model_type": "falcon", "hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 32,
        "vocab_size": 50304, "multi_query": False, "parallel_attn": False, "bias": True, "alibi": True,
    }  # fmt: skip
    shape = shape_from_config(written(tmp_path, document))
    assert (shape.kv_heads, shape.rotary) == (32, False)
    # falcon-rw-1b's checkpoint.
    assert shape.parameters == 1_311_625_216


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not valid JSON"),
        ([], "expected a JSON object"),
        ({"model_type": "mamba"}, "model_type: expected one of llama, mistral"),
        ({}, "found None"),
        ({"model_type": "llama"}, "the key hidden_size is missing"),
        ("[" * 100_000, "not valid JSON: it is nested too deeply"),
        ({"model_type": ["llama"] * 50}, "found ['llama', 'llama'"),
        ({**LLAMA, "num_hidden_layers": "80"}, "number from 1 to 10,000, found '80'"),
        ({**LLAMA, "num_hidden_layers": 10**30}, "num_hidden_layers: expected a whole number from 1 to 10,000"),
        ({**LLAMA, "hidden_size": 10**9}, "hidden_size: expected a whole number from 1 to 10,000,000"),
        ({**LLAMA, "num_attention_heads": 65}, "num_attention_heads: expected a divisor of 8,192, found 65"),
        ({**LLAMA, "hidden_size": 30}, "num_attention_heads: expected a divisor of 30, found 64"),
        ({**LLAMA, "num_key_value_heads": 5}, "num_key_value_heads: expected a divisor of 64, found 5"),
        ({**CONFIGS["vit-base-patch16-224"], "patch_size": 500}, "patch_size: expected a whole number from 1 to 224"),
        ({**LLAMA, "vocab_size": 0}, "vocab_size: expected a whole number"),
        ({**LLAMA, "tie_word_embeddings": 1}, "tie_word_embeddings: expected true or false"),
        ({**CONFIGS["opt-66b"], "word_embed_proj_dim": 512}, "word_embed_proj_dim: only 9216 is supported"),
    ],
)
def test_a_wrong_config_names_file_and_key(document: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        shape_from_config(written(tmp_path, document))
    assert message in str(refusal.value)
    assert "config.json" in str(refusal.value)
