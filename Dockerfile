# One image for the migration, the workers and the dashboard.
FROM python:3.11-slim-bookworm

# PyTorch for CPUs comes from its own index; build with TORCH_INDEX=https://download.pytorch.org/whl/cu130 for GPUs.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

WORKDIR /app
COPY constraints.txt ./
# What changes rarely comes first, so that a change of the code does not fetch torch again.
RUN pip install --constraint constraints.txt --extra-index-url "$TORCH_INDEX" torch
COPY pyproject.toml setup.py MANIFEST.in README.md CHANGELOG.md LICENSE ./
COPY alembic alembic
COPY src src
RUN pip install --constraint constraints.txt --extra-index-url "$TORCH_INDEX" \
    ".[torch,plots,parquet,postgres,dashboard]"

RUN useradd --create-home --uid 1000 satisfice \
    && mkdir /studies /artefacts \
    && chown satisfice /studies /artefacts
COPY --chown=satisfice studies /studies
USER 1000:1000
WORKDIR /studies
ENTRYPOINT ["satisfice"]
CMD ["--help"]
