"""What vLLM would say of a model's weights at its start, said in the plan: a quantisation that is
stated has to be the one that the files have (vllm/config/model.py, `_verify_quantization`).
"""

from xgen_deploy.backends.vllm_config import quantised_by
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

# By the method in the model's files: what may be stated for them. A method that is not here is not
# judged: versions differ.
_FITS: dict[str, frozenset[str]] = {
    "awq": frozenset(("awq", "auto_awq", "awq_marlin", "cpu_awq", "marlin", "moe_wna16")),
    "gptq": frozenset(
        (
            *("gptq", "auto_gptq", "gptq_marlin", "gptq_marlin_24", "gptq_bitblas"),
            *("marlin", "moe_wna16"),
        )
    ),
    "compressed-tensors": frozenset(("compressed-tensors",)),
    "fp8": frozenset(("fp8", "deepseek_v4_fp8")),
    "modelopt": frozenset(
        ("modelopt", "modelopt_fp4", "modelopt_mxfp8", "modelopt_mixed", "mxfp8")
    ),
    "mxfp4": frozenset(("mxfp4", "gpt_oss_mxfp4")),
}
_JUDGED = frozenset().union(*_FITS.values())
# They quantise nothing themselves, so that the files must be quantised.
_STORED = frozenset().union(*(_FITS[m] for m in ("awq", "gptq", "compressed-tensors", "modelopt")))
_FOREIGN = {"mlx": "MLX, for Apple's GPUs", "exl2": "ExLlamaV2", "exl3": "ExLlamaV3"}
_FIELD = "vllm.quantization"


def check_weights(declared: InstanceConfig, model: ModelFacts) -> None:
    """Raises Refused."""
    if model.config is None:
        return
    known, method = quantised_by(model)
    if method in _FOREIGN:
        raise refuse(
            declared,
            f"the model's weights are quantised by {_FOREIGN[method]}, which vLLM does not load",
            "Take the model in another quantisation, such as AWQ, GPTQ or FP8.",
            "source",
        )
    stated = declared.vllm.quantization
    if stated not in _JUDGED or not known:
        return
    if method is None and stated in _STORED:
        raise refuse(
            declared,
            f"quantization: {stated} is stated, and the model's files are not quantised",
            f"Leave `{_FIELD}` out, or name the model's quantised files as `source`.",
            _FIELD,
        )
    if method in _FITS and stated not in _FITS[method]:
        raise refuse(
            declared,
            f"quantization: {stated} is stated, and the model's files are quantised by {method}",
            f"Leave `{_FIELD}` out: vLLM reads it from the files.",
            _FIELD,
        )
