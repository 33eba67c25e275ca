"""The published language models and encoders that are known by name."""

from __future__ import annotations

from device_model.workloads.models.families import ModelShape as ModelShape
from device_model.workloads.models.families import classic, encoder, llama, opt, vit
from device_model.workloads.models.lookup import UnknownModelError as UnknownModelError
from device_model.workloads.models.lookup import find

_LLAMA = (
    llama("llama-7b", 32, 4096, 32, 32, 11008, 32000, 2048),
    llama("llama-13b", 40, 5120, 40, 40, 13824, 32000, 2048),
    llama("llama-30b", 60, 6656, 52, 52, 17920, 32000, 2048),
    llama("llama-65b", 80, 8192, 64, 64, 22016, 32000, 2048),
    llama("Llama-2-7b", 32, 4096, 32, 32, 11008, 32000, 4096),
    llama("Llama-2-13b", 40, 5120, 40, 40, 13824, 32000, 4096),
    llama("Llama-2-70b", 80, 8192, 64, 8, 28672, 32000, 4096),
    llama("Llama-3-8B", 32, 4096, 32, 8, 14336, 128256, 8192),
    llama("Llama-3-70B", 80, 8192, 64, 8, 28672, 128256, 8192),
    llama("Llama-3.1-8B", 32, 4096, 32, 8, 14336, 128256, 131072),
    llama("Llama-3.1-70B", 80, 8192, 64, 8, 28672, 128256, 131072),
    llama("Llama-3.1-405B", 126, 16384, 128, 8, 53248, 128256, 131072),
    llama("Llama-3.2-1B", 16, 2048, 32, 8, 8192, 128256, 131072, tied=True),
    llama("Llama-3.2-3B", 28, 3072, 24, 8, 8192, 128256, 131072, tied=True),
    llama("Llama-3.3-70B", 80, 8192, 64, 8, 28672, 128256, 131072),
    llama("CodeLlama-7b-hf", 32, 4096, 32, 32, 11008, 32016, 16384),
    llama("CodeLlama-13b-hf", 40, 5120, 40, 40, 13824, 32016, 16384),
    llama("CodeLlama-34b-hf", 48, 8192, 64, 8, 22016, 32000, 16384),
    llama("CodeLlama-70b-hf", 80, 8192, 64, 8, 28672, 32016, 16384),
    llama("TinyLlama-1.1B", 22, 2048, 32, 4, 5632, 32000, 2048),
    llama("Mistral-7B", 32, 4096, 32, 8, 14336, 32000, 32768),
    llama("Mistral-7B-v0.3", 32, 4096, 32, 8, 14336, 32768, 32768),
    llama("Qwen2-7B", 28, 3584, 28, 4, 18944, 152064, 131072, qkv_biases=True),
    llama("Qwen2.5-7B", 28, 3584, 28, 4, 18944, 152064, 131072, qkv_biases=True),
    llama("Qwen2-72B", 80, 8192, 64, 8, 29568, 152064, 131072, qkv_biases=True),
    llama("Phi-3-mini-4k", 32, 3072, 32, 32, 8192, 32064, 4096),
)
_OPT = (
    opt("opt-125m", 12, 768, 12),
    opt("opt-1.3b", 24, 2048, 32),
    opt("opt-2.7b", 32, 2560, 32),
    opt("opt-6.7b", 32, 4096, 32),
    opt("opt-13b", 40, 5120, 40),
    opt("opt-30b", 48, 7168, 56),
    opt("opt-66b", 64, 9216, 72),
    opt("opt-175b", 96, 12288, 96),
)
_CLASSIC = (
    classic("gpt2", 12, 768, 12, 50257, 1024, position_rows=1024),
    classic("gpt2-medium", 24, 1024, 16, 50257, 1024, position_rows=1024),
    classic("gpt2-large", 36, 1280, 20, 50257, 1024, position_rows=1024),
    classic("gpt2-xl", 48, 1600, 25, 50257, 1024, position_rows=1024),
    classic("gpt-j-6b", 28, 4096, 16, 50400, 2048, tied=False, norms_per_layer=1),
    classic("gpt-neox-20b", 44, 6144, 64, 50432, 2048, tied=False),
    classic("pythia-6.9b", 32, 4096, 32, 50432, 2048, tied=False),
    classic("pythia-12b", 36, 5120, 40, 50688, 2048, tied=False),
    classic("bloom-560m", 24, 1024, 16, 250880, 2048, table_norm=True),
    classic("bloom-1b7", 24, 2048, 16, 250880, 2048, table_norm=True),
    classic("bloom-3b", 30, 2560, 32, 250880, 2048, table_norm=True),
    classic("bloom-7b1", 30, 4096, 32, 250880, 2048, table_norm=True),
    classic("bloom", 70, 14336, 112, 250880, 2048, table_norm=True),
    classic("falcon-7b", 32, 4544, 71, 65024, 2048, kv_heads=1, biases=False, norms_per_layer=1),
    classic("falcon-40b", 60, 8192, 128, 65024, 2048, kv_heads=8, biases=False),
)
_ENCODERS = (
    encoder("bert-base-uncased", 12, 768, 12, 30522, 512, segments=2),
    encoder("bert-large-uncased", 24, 1024, 16, 30522, 512, segments=2),
    encoder("bert-base-cased", 12, 768, 12, 28996, 512, segments=2),
    encoder("bert-large-cased", 24, 1024, 16, 28996, 512, segments=2),
    encoder("bert-base-multilingual-cased", 12, 768, 12, 119547, 512, segments=2),
    encoder("roberta-base", 12, 768, 12, 50265, 514, segments=1),
    encoder("roberta-large", 24, 1024, 16, 50265, 514, segments=1),
    encoder("distilroberta-base", 6, 768, 12, 50265, 514, segments=1),
    encoder("xlm-roberta-base", 12, 768, 12, 250002, 514, segments=1),
    encoder("xlm-roberta-large", 24, 1024, 16, 250002, 514, segments=1),
    encoder("camembert-base", 12, 768, 12, 32005, 514, segments=1),
    encoder("electra-small", 12, 256, 4, 30522, 512, segments=2, pooler=False, embedding_width=128),
    encoder("electra-base", 12, 768, 12, 30522, 512, segments=2, pooler=False),
    encoder("electra-large", 24, 1024, 16, 30522, 512, segments=2, pooler=False),
    encoder("distilbert-base-uncased", 6, 768, 12, 30522, 512, pooler=False),
    encoder("distilbert-base-cased", 6, 768, 12, 28996, 512, pooler=False),
    encoder("albert-base-v2", 12, 768, 12, 30000, 512, segments=2, embedding_width=128, shared=True),
    encoder("albert-large-v2", 24, 1024, 16, 30000, 512, segments=2, embedding_width=128, shared=True),
    encoder("albert-xlarge-v2", 24, 2048, 16, 30000, 512, segments=2, embedding_width=128, shared=True),
    encoder("all-MiniLM-L6-v2", 6, 384, 12, 30522, 512, segments=2),
    encoder("all-MiniLM-L12-v2", 12, 384, 12, 30522, 512, segments=2),
    encoder("xlm-mlm-en-2048", 12, 2048, 16, 30145, 512, pooler=False),
    # A custom encoder of the size that the Inferentia2 launch talk speaks of.
    encoder("encoder-1b", 24, 1792, 28, 50265, 514, pooler=False),
    vit("vit-base-patch16-224", 12, 768, 12, 16),
    vit("vit-base-patch32-224", 12, 768, 12, 32),
    vit("vit-large-patch16-224", 24, 1024, 16, 16),
    vit("vit-huge-patch14-224", 32, 1280, 16, 14),
    vit("deit-tiny-patch16-224", 12, 192, 3, 16),
    vit("deit-small-patch16-224", 12, 384, 6, 16),
    vit("deit-base-patch16-224", 12, 768, 12, 16),
)

SHAPES: dict[str, ModelShape] = {shape.name: shape for shape in (*_LLAMA, *_OPT, *_CLASSIC, *_ENCODERS)}


def shape_for(name: str) -> ModelShape:
    """The shape of that name or a spelling of it; UnknownModelError, which names the nearest known one, otherwise."""
    found = find(name, SHAPES)
    if found is None:
        raise UnknownModelError.among(name, SHAPES)
    return found
