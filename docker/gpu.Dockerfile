# Training and evaluation on NVIDIA GPUs: torch with CUDA, DeepSpeed.
#
#   docker build -f docker/gpu.Dockerfile -t sam2vlm-gpu .          (or buildah build; `make images` takes either)
#
# CUDA's libraries come with torch's own wheels; the driver comes from the node. So BASE_IMAGE is the same kind of
# image as for the CPU: Debian-like, with python3 (3.11 or newer), python3-venv and ca-certificates.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS base
# Bytecode is compiled when packages are installed: the pods' root is read-only.
ENV PATH=/app/bin:/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# The lists of requirements: they change less often than pyproject.toml does. Without a time of their own, so that
# equal lists find the layers that were built from them.
FROM base AS requirements
# What the image can do; with "mlflow wandb" behind it, training can tell these services.
ARG EXTRAS="train cluster"
COPY docker/requirements.py pyproject.toml /
RUN python3 /requirements.py /pyproject.toml ${EXTRAS} > /runtime.txt \
 && python3 /requirements.py /pyproject.toml build > /build.txt \
 && touch --date=@0 /runtime.txt /build.txt

# All dependencies, pinned, in one layer. The default index's torch is the CUDA build.
FROM base AS dependencies
ARG PIP_INDEX_ARGUMENTS=
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1
# The prompt tells this layer from the CPU image's: equal instructions would find its torch in the builder's cache.
RUN python3 -m venv --prompt gpu /venv
COPY constraints.txt /
COPY --from=requirements /runtime.txt /
# DeepSpeed comes as source. Built apart from torch (--use-pep517) it asks for no CUDA compiler; the optimizer is
# torch's own, so that none of DeepSpeed's operators is needed (docs/decisions/0010-no-compiled-deepspeed-operators.md).
RUN --mount=type=cache,target=/var/cache/pip,sharing=locked \
    pip install --quiet --use-pep517 ${PIP_INDEX_ARGUMENTS} --constraint /constraints.txt --requirement /runtime.txt
# A wheel for the CPU in a local index would make a GPU image that finds no GPU; better no image.
RUN python3 -c 'import importlib.metadata as m; exit("this torch is a CPU build" if "+cpu" in m.version("torch") else 0)'
# What only a compiler would read.
RUN find /venv -type d \( -path '*/torch/include' -o -path '*/pyarrow/include' -o -path '*/pyarrow/src' \
      -o -path '*/pandas/tests' -o -path '*/pyarrow/tests' -o -path '*/nvidia/*/include' \) -prune -exec rm -rf {} + \
 && find /venv -name '*.a' -delete

# The project's code as a wheel would lay it out.
FROM base AS code
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /venv
COPY constraints.txt /
COPY --from=requirements /build.txt /
RUN --mount=type=cache,target=/var/cache/pip,sharing=locked \
    pip install --quiet --constraint /constraints.txt --requirement /build.txt
COPY pyproject.toml README.md LICENSE /source/
COPY lib/sam2vlm /source/lib/sam2vlm
COPY jobs /source/jobs
RUN pip install --quiet --no-deps --no-build-isolation --target /app /source

FROM base
# A number, so that runAsNonRoot can be checked without asking the image.
RUN echo 'sam2vlm:x:10001:10001::/tmp:/bin/sh' >> /etc/passwd && echo 'sam2vlm:x:10001:' >> /etc/group
COPY --from=dependencies /venv /venv
# Which of the driver's libraries the container runtime puts in; which GPUs, the cluster's device plugin says.
ENV PYTHONPATH=/app HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /tmp
USER 10001:10001
COPY --from=code /app /app
CMD ["sam2vlm", "--help"]
