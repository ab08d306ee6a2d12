# The one image recipe of all services; the service's folder is an argument:
#   docker build -f deploy/docker/python-service.Dockerfile --build-arg SERVICE=virtual-exchange .
# Name the base by digest in production: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /opt/service \
 && python -m venv /opt/build \
 && awk '/^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ { on = 1 } on { print } !/\\$/ { on = 0 }' \
      requirements-dev.lock > build.lock \
 && /opt/build/bin/pip install --require-hashes --no-deps -r build.lock \
 && /opt/service/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY shared shared
COPY strategy-agent strategy-agent
ARG SERVICE
COPY ${SERVICE} ${SERVICE}
RUN for folder in shared strategy-agent "${SERVICE}"; do \
      ( cd "${folder}" && /opt/build/bin/hatchling build -t wheel -d /wheels ) || exit 1; \
    done \
 && /opt/service/bin/pip install --no-deps --no-index /wheels/*.whl

FROM ${BASE}
ARG SERVICE
# uid beyond 10000: no account of the host shares it.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin service \
 && install -d -o service -g service -m 0700 /var/lib/service /var/cache/service /klines
COPY --from=build /opt/service /opt/service
ENV PATH=/opt/service/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/var/cache/service SERVICE=${SERVICE}
USER service
WORKDIR /var/lib/service
STOPSIGNAL SIGTERM
ENTRYPOINT ["/bin/sh", "-c", "exec \"$SERVICE\" \"$@\"", "service"]
CMD ["--help"]
