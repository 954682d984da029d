eval "$(xgen-deploy completion bash)"
