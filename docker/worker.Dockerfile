# The image that trains: Ray's head, its workers and the coordinator run it. docker build -f docker/worker.Dockerfile .
FROM python:3.11-slim-bookworm

# Whose torch: …/whl/cpu, or one with CUDA such as …/whl/cu130.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/hpo/source
COPY docker/needs.py pyproject.toml constraints.txt ./
# torch is by far the largest, so it comes first and alone: the layer stays when another requirement changes.
RUN pip install --constraint constraints.txt --extra-index-url "$TORCH_INDEX" torch
RUN python needs.py postgres > needs.txt \
    && pip install --constraint constraints.txt --requirement needs.txt
COPY . .
RUN pip install --no-deps . \
    && install -m 755 docker/healthy /usr/local/bin/hpo-healthy \
    && install -m 755 docker/coordinator /usr/local/bin/hpo-coordinator

# A number, so that a cluster that allows no root sees that it is none.
RUN useradd --uid 10001 --user-group --home-dir /var/lib/hpo --create-home hpo
USER 10001:10001
WORKDIR /var/lib/hpo
# Ray asks nobody for a token unless it is told to, reports to its makers unless it is told not to, keeps
# gigabytes of logs, misses a machine that has fallen silent after a minute, where these make it seconds, and
# when it is told to end waits half a minute for hpo's workers, which never go by themselves: Docker kills it first.
ENV HPO_HOME=/var/lib/hpo HPO_LOG=info,json PYTHONUNBUFFERED=1 \
    RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 \
    RAY_ROTATION_MAX_BYTES=10000000 RAY_ROTATION_BACKUP_COUNT=1 \
    RAY_health_check_initial_delay_ms=0 RAY_health_check_period_ms=1000 \
    RAY_health_check_timeout_ms=2000 RAY_health_check_failure_threshold=3 \
    RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["hpo-healthy", "node"]
CMD ["hpo-coordinator"]
