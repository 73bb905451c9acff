# A stand-in for PostgreSQL's official image where no registry is: Debian's PostgreSQL under what compose.yaml asks of that image.
FROM python:3.11-slim-bookworm

# hadolint ignore=DL3008
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15 \
    && usermod --uid 999 postgres && groupmod --gid 999 postgres \
    && install -d -o 999 -g 999 -m 1777 /var/lib/postgresql/data
COPY postgres-entrypoint /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin
VOLUME /var/lib/postgresql/data
CMD ["postgres-entrypoint"]
