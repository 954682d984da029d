"""The first GPU as each build of llama-server names it; "" for the one that uses none."""

FIRST = {
    "llama-server-cuda": "CUDA0",
    "llama-server-rocm": "ROCm0",
    "llama-server-vulkan": "Vulkan0",
    "llama-server-cpu": "",
}
