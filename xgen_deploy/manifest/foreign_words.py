"""The table of foreign names, with `_` for `-` and for where a capital begins a word. The options
of llama-server and vLLM that have a field are not here: they are in state/extra_args.py.
"""

from collections.abc import Mapping

_LOADED = "Leave it out: a model stays loaded until it is stopped"
_STARTED = "Leave it out: systemd starts an engine again, and at boot"
_GATE = (
    "Leave it out: `apply` waits until the model answers, and `update: {timeout: …}` is how long"
)
_ORDER = "Leave it out: what shares a GPU starts one after the other, in the manifest's order"
_DOCKER = "It has no field; `container: {args: […]}` passes on options of `docker run`"
_NETWORK = (
    "A network of your own goes into `container: {args: [--network=NAME]}`; on the host's network "
    "an engine runs with `runtime: systemd`"
)
_PRIVILEGED = "Leave it out: `gpus` gives an engine its GPUs, and no engine gets the whole host"
_USER = "Leave it out: each engine has a user of its own"
_MMAP = (
    "Leave it out: the engine maps the file by itself; to read it instead, "
    "`llama: {extra_args: [--load-mode, none]}` (`--no-mmap` in builds before September 2026)"
)
_JINJA = "Leave it out: llama-server uses the model's Jinja template; another is `chat_template`"
_GONE = "Leave it out: vLLM has no such option any more"
_HUB = "Write `fetch: {token: {env: HF_TOKEN}}` at the top: the value is in no manifest"
_CLUSTER = "Leave it out: it is Kubernetes' own; `hosts:` says what runs where"
_REQUESTS = "Leave it out: it comes with each request"


def _fields(*rows: tuple[str, str]) -> dict[str, tuple[str, ...]]:
    """Name -> the fields that it stands for."""
    return {name: tuple(fields.split()) for fields, names in rows for name in names.split()}


def _words(*rows: tuple[str, str]) -> dict[str, str]:
    """Name -> the text of its row."""
    return {name: text for text, names in rows for name in names.split()}


RENAMED: Mapping[str, tuple[str, ...]] = _fields(
    ("source", "model model_path model_file model_id model_name path file from url repo repo_id"),
    ("source", "model_url model_uri storage_uri hf_model_id huggingface_id model_name_or_path"),
    ("revision", "branch hf_revision"),
    ("sha256", "checksum digest"),
    ("type", "task task_type kind runner is_embedding pooling_task"),
    ("backend", "engine server_type"),
    ("n_ctx", "ctx context context_length context_size context_window max_context num_ctx ctx_len"),
    ("n_ctx", "max_seq_len max_sequence_length max_model_length ollama_context_length"),
    ("n_gpu_layers", "num_gpu num_gpu_layers n_layers gpu_layer layers"),
    ("mmproj", "projector mm_proj clip_model_path clip_model"),
    ("draft", "draft_model speculative_model speculative speculative_decoding"),
    ("loras", "adapter adapters lora_adapters lora_path lora_modules"),
    ("chat_template", "template chat_template_path"),
    ("aliases", "names served_model_names"),
    ("sampling", "parameters generation_config generation sampling_params options"),
    ("sampling.temperature", "temp"),
    ("sampling.repeat_penalty", "repetition_penalty repeat_pen"),
    ("sampling.max_tokens", "num_predict max_new_tokens max_output_tokens"),
    ("api_key", "key token auth"),
    ("listen", "bind address bind_address ollama_host"),
    ("gpus", "gpu gpu_ids gpu_id device_id device_ids devices cuda_visible_devices"),
    ("gpus", "deploy resources"),
    ("gpus", "nvidia_visible_devices hip_visible_devices rocr_visible_devices base_gpu_id"),
    ("name", "container_name instance instance_name"),
    ("gpus", "request_gpu request_gpus num_gpus gpu_count"),
    ("vllm", "vllm_config"),
    ("replicas", "scale count instances replica_count min_replicas num_replicas"),
    ("port", "ports expose host_port"),
    ("binary", "executable program"),
    ("image", "entrypoint docker_image"),
    ("env", "environment env_file envs"),
    ("llama.extra_args vllm.extra_args", "cmd command args arguments extra extra_flags flags"),
    ("llama.parallel", "n_parallel num_parallel slots n_slots ollama_num_parallel"),
    ("llama.flash_attn", "flash_attention fa ollama_flash_attention"),
    ("llama.cache_type_k llama.cache_type_v", "kv_cache_type ollama_kv_cache_type cache_type"),
    ("llama.threads", "num_thread num_threads cpu_threads"),
    ("llama.n_batch", "num_batch batch"),
    ("llama.n_cpu_moe", "num_cpu_moe moe_cpu"),
    ("llama.main_gpu", "primary_gpu"),
    ("vllm.tensor_parallel_size", "tensor_parallel tp_size num_shard"),
    ("vllm.pipeline_parallel_size", "pipeline_parallel pp_size"),
    ("vllm.gpu_memory_utilization", "gpu_memory_utilisation gpu_mem_util mem_fraction_static"),
    ("container.mounts", "volumes volume mount binds bind_mounts"),
    ("container.shm_size", "ipc shm"),
    ("container.args", "docker_args"),
    ("models", "services"),
)  # fmt: skip

IN_DRAFT: Mapping[str, str] = _words(
    ("source", "model model_path path file"),
    ("tokens", "num_speculative_tokens n_max draft_max max draft_n n n_draft num_tokens"),
    ("n_gpu_layers", "ngl gpu_layers draft_n_gpu_layers num_gpu"),
)

IN_GATEWAY: Mapping[str, str] = _words(
    ("listen", "bind address bind_address"),
    ("tls", "ssl https certificate"),
    ("api_key", "key token auth master_key"),
    ("clients", "keys api_keys users virtual_keys"),
    ("queue_timeout", "timeout request_timeout"),
    ("cors", "allowed_origins cors_origins allow_origins origins"),
    ("max_body", "max_body_size client_max_body_size max_request_size body_limit max_size"),
)

LEFT_OUT: Mapping[str, str] = _words(
    (_LOADED, "keep_alive ollama_keep_alive max_loaded_models ollama_max_loaded_models ttl"),
    (_STARTED, "restart restart_policy autostart"),
    (_GATE, "healthcheck health_check health wait_ready load_timeout health_check_timeout"),
    (_GATE, "liveness_probe readiness_probe startup_probe"),
    (_ORDER, "depends_on"),
    (_NETWORK, "network network_mode networks"),
    (_PRIVILEGED, "privileged"),
    (_USER, "user"),
    (_DOCKER, "cap_add cap_drop security_opt ulimits"),
    (_DOCKER, "extra_hosts hostname logging labels mem_limit cpus group_add working_dir"),
    (_MMAP, "mmap no_mmap use_mmap"),
    (_JINJA, "jinja use_jinja"),
    (_GONE, "swap_space disable_log_requests use_v2_block_manager num_scheduler_steps"),
    (_GONE, "max_seq_len_to_capture worker_use_ray enable_reasoning guided_decoding_backend"),
    ("Leave it out: a system prompt comes with each request", "system system_prompt"),
    (_REQUESTS, "messages stop stop_sequences"),
    (_HUB, "hf_token huggingface_token hugging_face_hub_token hf_access_token"),
    (
        _CLUSTER,
        "request_cpu request_memory pvc_storage pvc_access_mode storage_class node_selector",
    ),
    (_CLUSTER, "node_selector_terms tolerations affinity namespace service_account_name"),
    ("Leave it out: images are built beforehand, see docs/images.md", "build dockerfile"),
)

# Options without a field that are met often, and their engine's section.
ENGINE_OPTIONS: Mapping[str, str] = _words(
    ("llama", "swa_full warmup no_warmup numa rope_freq_base rope_freq_scale rope_scale"),
    ("llama", "rope_scaling cache_reuse cache_ram kv_unified no_kv_offload threads_batch"),
    ("llama", "threads_http seed min_p grammar_file context_shift no_context_shift ui no_ui"),
    ("llama", "slot_save_path repeat_last_n presence_penalty frequency_penalty mirostat"),
    ("llama", "override_kv rpc chat_template_kwargs prio cpu_mask yarn_orig_ctx check_tensors"),
    ("vllm", "max_num_batched_tokens enable_chunked_prefill block_size cpu_offload_gb tokenizer"),
    ("vllm", "tokenizer_mode load_format config_format download_dir hf_overrides"),
    ("vllm", "enable_expert_parallel data_parallel_size compilation_config attention_backend"),
    ("vllm", "distributed_executor_backend kv_transfer_config mm_processor_kwargs"),
    ("vllm", "enable_sleep_mode convert async_scheduling kv_offloading_size"),
    ("vllm", "disable_custom_all_reduce allowed_local_media_path hf_config_path"),
)
