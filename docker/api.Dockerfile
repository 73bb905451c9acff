# The API's image: pages and REST, without torch and Ray. Build it in the repository: docker build -f docker/api.Dockerfile .
FROM python:3.11-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/hpo/source
COPY docker/needs.py pyproject.toml constraints.txt ./
# What is needed changes seldom, and is a layer of its own. The API imports neither torch nor ray.
RUN python needs.py onnx postgres telemetry --without ray torch > needs.txt \
    && pip install --constraint constraints.txt --requirement needs.txt
COPY . .
RUN pip install --no-deps . \
    && install -m 755 docker/healthy /usr/local/bin/hpo-healthy

# A number, so that a cluster that allows no root sees that it is none.
RUN useradd --uid 10001 --user-group --home-dir /var/lib/hpo --create-home hpo
USER 10001:10001
WORKDIR /var/lib/hpo
ENV HPO_HOME=/var/lib/hpo HPO_AUTH=required HPO_LOG=info,json PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["hpo-healthy", "api"]
CMD ["hpo", "serve", "--only", "api", "--host", "0.0.0.0", "--port", "8000"]
