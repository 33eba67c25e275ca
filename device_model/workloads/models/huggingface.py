"""Reads a model's shape from the config.json that Hugging Face publishes with every checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from device_model.workloads.models.families import ModelShape, classic, encoder, llama, vit

MOST = 10_000_000
"""The largest count that a config may have; no published one comes near it."""

MOST_LAYERS = 10_000


class ConfigError(ValueError):
    """A config.json that gives no shape; the text names the file, the key and what was expected."""


class _Config:
    """The keys of one file; a missing or wrong one is an error that names it."""

    def __init__(self, document: Mapping[str, Any], where: str) -> None:
        self._document = document
        self.where = where
        name = document.get("_name_or_path")
        self.name = (isinstance(name, str) and name.isprintable() and name.rpartition("/")[2]) or where

    def count(self, *keys: str, default: int | None = None, most: int = MOST) -> int:
        """A whole number above 0 under the first of `keys` that is there."""
        key = self._first(keys)
        found = self._document.get(key)
        if found is None:
            if default is None:
                raise ConfigError(f"{self.where}: the key {keys[0]} is missing")
            return default
        if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= most:
            raise self._wrong(key, f"a whole number from 1 to {most:,}")
        return found

    def layers(self, *keys: str) -> int:
        """How many layers there are, of which each takes the planner a while."""
        return self.count(*keys, most=MOST_LAYERS)

    def divisor(self, whole: int, *keys: str, default: int | None = None) -> int:
        """A count of equal parts of `whole`."""
        found = self.count(*keys, default=default)
        if whole % found:
            raise self._wrong(self._first(keys), f"a divisor of {whole:,}")
        return found

    def _first(self, keys: tuple[str, ...]) -> str:
        return next((key for key in keys if self._document.get(key) is not None), keys[0])

    def _wrong(self, key: str, expected: str) -> ConfigError:
        found = self._document.get(key)
        shown = "a very large number" if isinstance(found, int) and found.bit_length() > 99 else f"{found!r:.60}"
        return ConfigError(f"{self.where}: {key}: expected {expected}, found {shown}")

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        found = self._document.get(key, default)
        if not isinstance(found, bool):
            raise self._wrong(key, "true or false")
        return found

    def must_equal(self, key: str, expected: int) -> None:
        """Refuses a shape that the family's formula does not cover."""
        if self.count(key, default=expected) != expected:
            raise ConfigError(f"{self.where}: {key}: only {expected} is supported here, found {self.count(key)}")


def _llama(config: _Config) -> ModelShape:
    width, head_dim = config.count("hidden_size"), config.count("head_dim", default=0)
    # Heads of a width of their own need not divide the model's.
    heads = config.count("num_attention_heads") if head_dim else config.divisor(width, "num_attention_heads")
    return llama(
        config.name,
        config.layers("num_hidden_layers"),
        width,
        heads,
        config.divisor(heads, "num_key_value_heads", default=heads),
        config.count("intermediate_size"),
        config.count("vocab_size"),
        config.count("max_position_embeddings", default=2048),
        tied=config.flag("tie_word_embeddings", False),
        head_dim=head_dim or None,
    )


def _qwen2(config: _Config) -> ModelShape:
    shape = _llama(config)
    biases = shape.layers * shape.head_dim * (shape.heads + 2 * shape.kv_heads)
    return shape._replace(parameters=shape.parameters + biases)


def _opt(config: _Config) -> ModelShape:
    width, positions = config.count("hidden_size"), config.count("max_position_embeddings")
    config.must_equal("word_embed_proj_dim", width)
    config.must_equal("ffn_dim", 4 * width)
    return classic(
        config.name, config.layers("num_hidden_layers"), width, config.divisor(width, "num_attention_heads"),
        config.count("vocab_size"), positions, position_rows=positions + 2,
    )  # fmt: skip


def _gpt2(config: _Config) -> ModelShape:
    width, positions = config.count("n_embd"), config.count("n_positions", "n_ctx")
    return classic(
        config.name, config.layers("n_layer"), width, config.divisor(width, "n_head"),
        config.count("vocab_size"), positions, position_rows=positions,
    )  # fmt: skip


def _gptj(config: _Config) -> ModelShape:
    width = config.count("n_embd")
    return classic(
        config.name, config.layers("n_layer"), width, config.divisor(width, "n_head"),
        config.count("vocab_size"), config.count("n_positions"), tied=False, norms_per_layer=1,
    )  # fmt: skip


def _gpt_neox(config: _Config) -> ModelShape:
    width = config.count("hidden_size")
    config.must_equal("intermediate_size", 4 * width)
    return classic(
        config.name, config.layers("num_hidden_layers"), width, config.divisor(width, "num_attention_heads"),
        config.count("vocab_size"), config.count("max_position_embeddings"), tied=False,
    )  # fmt: skip


def _bloom(config: _Config) -> ModelShape:
    width = config.count("hidden_size", "n_embed")
    return classic(
        config.name, config.layers("n_layer", "num_hidden_layers"), width,
        config.divisor(width, "n_head", "num_attention_heads"), config.count("vocab_size"),
        config.count("seq_length", default=2048), table_norm=True,
    )  # fmt: skip


def _falcon(config: _Config) -> ModelShape:
    width = config.count("hidden_size")
    heads = config.divisor(width, "num_attention_heads", "n_head")
    new, side_by_side = config.flag("new_decoder_architecture", False), config.flag("parallel_attn", True)
    kv_heads = config.divisor(heads, "num_kv_heads", "n_head_kv", default=heads) if new else heads
    shape = classic(
        config.name, config.layers("num_hidden_layers", "n_layer"), width, heads, config.count("vocab_size"), 2048,
        kv_heads=1 if config.flag("multi_query", True) and not new else kv_heads,
        biases=config.flag("bias", False), norms_per_layer=2 if new or not side_by_side else 1,
    )  # fmt: skip
    return shape._replace(rotary=not config.flag("alibi", False))


def _bert(config: _Config) -> ModelShape:
    width, positions = config.count("hidden_size"), config.count("max_position_embeddings")
    config.must_equal("intermediate_size", 4 * width)
    table_width = config.count("embedding_size", default=width)
    return encoder(
        config.name, config.layers("num_hidden_layers"), width, config.divisor(width, "num_attention_heads"),
        config.count("vocab_size"), positions, max_context=512 if positions == 514 else positions,
        segments=config.count("type_vocab_size", default=2),
        embedding_width=None if table_width == width else table_width,
    )  # fmt: skip


def _albert(config: _Config) -> ModelShape:
    width = config.count("hidden_size")
    config.must_equal("intermediate_size", 4 * width)
    return encoder(
        config.name, config.layers("num_hidden_layers"), width, config.divisor(width, "num_attention_heads"),
        config.count("vocab_size"), config.count("max_position_embeddings"),
        segments=config.count("type_vocab_size", default=2), embedding_width=config.count("embedding_size"),
        shared=True,
    )  # fmt: skip


def _distilbert(config: _Config) -> ModelShape:
    width = config.count("dim")
    config.must_equal("hidden_dim", 4 * width)
    return encoder(
        config.name, config.layers("n_layers"), width, config.divisor(width, "n_heads"),
        config.count("vocab_size"), config.count("max_position_embeddings"), pooler=False,
    )  # fmt: skip


def _vit(config: _Config) -> ModelShape:
    width = config.count("hidden_size")
    config.must_equal("intermediate_size", 4 * width)
    side = config.count("image_size")
    return vit(
        config.name, config.layers("num_hidden_layers"), width, config.divisor(width, "num_attention_heads"),
        config.count("patch_size", most=side), side=side,
    )  # fmt: skip


_READERS: dict[str, Callable[[_Config], ModelShape]] = {
    **dict.fromkeys(("llama", "mistral", "phi3"), _llama),
    "qwen2": _qwen2,
    "opt": _opt,
    "gpt2": _gpt2,
    "gptj": _gptj,
    "gpt_neox": _gpt_neox,
    "bloom": _bloom,
    "falcon": _falcon,
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _bert),
    "albert": _albert,
    "distilbert": _distilbert,
    **dict.fromkeys(("vit", "deit"), _vit),
}


def shape_from_config(path: str) -> ModelShape:
    """The shape that a config.json describes; OSError, or ConfigError for a file or family that gives none."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise ConfigError(f"{path}: not valid JSON: it is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a JSON object with the key model_type")
    family = document.get("model_type")
    reader = _READERS.get(family) if isinstance(family, str) else None
    if reader is None:
        raise ConfigError(f"{path}: model_type: expected one of {', '.join(_READERS)}, found {family!r:.60}")
    return reader(_Config(document, path))
