# prepare, evaluate, export, the coordinator, the tests, and training on the CPU.
#
#   docker build -f docker/cpu.Dockerfile -t sam2vlm:cpu .          (or buildah build; `make images` takes either)
#
# BASE_IMAGE may be any Debian-like image with python3 (3.11 or newer), python3-venv and ca-certificates.
# PIP_INDEX_ARGUMENTS may name an index with torch's CPU wheels ("--extra-index-url ..."): the default index
# holds only the CUDA build for Linux, which works on a CPU too but is several times larger.
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
 && python3 /requirements.py /pyproject.toml dev > /dev.txt \
 && touch --date=@0 /runtime.txt /build.txt /dev.txt

# All dependencies, pinned, in one layer.
FROM base AS dependencies
ARG PIP_INDEX_ARGUMENTS=
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /venv
COPY constraints.txt /
COPY --from=requirements /runtime.txt /
# DeepSpeed's own operators are not compiled: training tells it so and goes over gloo, the same code, and the
# same order of sums, as on a person's machine (docs/decisions/0010-no-compiled-deepspeed-operators.md).
RUN --mount=type=cache,target=/var/cache/pip,sharing=locked \
    pip install --quiet --use-pep517 ${PIP_INDEX_ARGUMENTS} --constraint /constraints.txt --requirement /runtime.txt
# What only a compiler would read.
RUN find /venv -type d \( -path '*/torch/include' -o -path '*/pyarrow/include' -o -path '*/pyarrow/src' \
      -o -path '*/pandas/tests' -o -path '*/pyarrow/tests' \) -prune -exec rm -rf {} + \
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

FROM base AS runtime
# A number, so that runAsNonRoot can be checked without asking the image.
RUN echo 'sam2vlm:x:10001:10001::/tmp:/bin/sh' >> /etc/passwd && echo 'sam2vlm:x:10001:' >> /etc/group
COPY --from=dependencies /venv /venv
# Nothing of the hub is asked in a pod; the base model comes with the code or from the volume.
ENV PYTHONPATH=/app HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false
WORKDIR /tmp
USER 10001:10001
COPY --from=code /app /app
CMD ["sam2vlm", "--help"]

# `--target test`: the same with pytest and the tests, for a check of the image itself.
FROM runtime AS test
USER 0:0
COPY constraints.txt pyproject.toml /checkout/
COPY --from=requirements /dev.txt /
RUN --mount=type=cache,target=/var/cache/pip,sharing=locked \
    pip install --quiet --cache-dir /var/cache/pip --constraint /checkout/constraints.txt --requirement /dev.txt
COPY tests /checkout/tests
WORKDIR /checkout
ENV HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis
USER 10001:10001
CMD ["python", "-m", "pytest", "-p", "no:cacheprovider", "tests/unit"]

# The last stage is what a build without --target gives.
FROM runtime
