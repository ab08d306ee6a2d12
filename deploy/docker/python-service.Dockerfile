# The one image recipe of all services; the service's folder is an argument:
#   docker build -f deploy/docker/python-service.Dockerfile --build-arg SERVICE=virtual-exchange .
# Further extras of the service: --build-arg EXTRAS=ml.
# Name the base by digest in production: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.lock ./
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils \
 && rm -rf /var/lib/apt/lists/*
# One layer of all images: what is locked, without its tests, the symbols of its debuggers, and what
# Arrow has for other programs. Modules are compiled by what is imported at a start, below.
RUN python -m venv /opt/service \
 && /opt/service/bin/pip install --no-compile --require-hashes --only-binary :all: -r requirements.lock \
 && find /opt/service/lib -depth -type d -name tests \
      -regex '.*/\(numba\|numpy\|pyarrow\|scipy\|xgboost\)/.*' -exec rm -rf {} + \
 && find /opt/service/lib -depth -path '*/site-packages/pyarrow/*' \
      \( -name include -o -name '*flight*' -o -name 'libarrow_python*.so' \
         -o -name 'libarrow_python*.so.*.*' \) -exec rm -rf {} + \
 && find /opt/service/lib -name '*.so*' -size +64k -not -path '*.libs/*' -not -path '*/pginstall/*' \
      -exec strip --strip-unneeded {} + \
 && /opt/service/bin/python -B -c "import pyarrow.compute, pyarrow.csv, pyarrow.dataset, pyarrow.parquet, pyarrow.fs as f; f.S3FileSystem" \
 && /opt/service/bin/python -B -c "import aiohttp, asyncpg.protocol, cryptography.x509, cytoolz, httptools, llvmlite.binding, msgspec, regex, scipy.stats, uvloop, xgboost, yaml"
COPY requirements-dev.lock ./
RUN python -m venv /opt/build \
 && awk '/^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ { on = 1 } on { print } !/\\$/ { on = 0 }' \
      requirements-dev.lock > build.lock \
 && /opt/build/bin/pip install --require-hashes --no-deps -r build.lock
COPY shared shared
COPY strategy-agent strategy-agent
COPY virtual-exchange virtual-exchange
COPY deploy/docker/needless.py ./
ARG SERVICE
ARG EXTRAS=
COPY ${SERVICE} ${SERVICE}
# Its own wheels, and nothing that it does not need: not pip either. What the engine and the features
# compile is compiled here, for processors like this machine's; others compile at their first start.
# hadolint ignore=DL3003
RUN for folder in $(printf '%s\n' shared strategy-agent virtual-exchange "${SERVICE}" | sort -u); do \
      ( cd "${folder}" && /opt/build/bin/hatchling build -t wheel -d /wheels ); \
    done \
 && /opt/service/bin/pip install --no-compile --no-deps --no-index /wheels/*.whl \
 && /opt/service/bin/python needless.py "${SERVICE}" "${EXTRAS}" > needless.txt \
 && /opt/service/bin/pip uninstall --quiet --yes --requirement needless.txt \
 && /opt/service/bin/pip uninstall --quiet --yes pip \
 && mkdir -p /opt/compiled \
 && if [ -d "$(echo /opt/service/lib/python3*/site-packages/perp_engine)" ]; then \
      NUMBA_CACHE_DIR=/opt/compiled /opt/service/bin/python -m perp_engine.warm; \
    fi \
 && if /opt/service/bin/python -c "import numba, strategy_core" 2>/dev/null; then \
      NUMBA_CACHE_DIR=/opt/compiled /opt/service/bin/python -m strategy_core.ict.warm; \
    fi \
 && /opt/service/bin/python -c "import importlib, sys; [importlib.import_module(sys.argv[1].replace('-', '_') + part) for part in ('.cli', '.main')]" "${SERVICE}"

FROM ${BASE}
ARG SERVICE
# uid beyond 10000: no account of the host shares it. A volume takes its owner from the folder here.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin service \
 && install -d -o service -g service -m 0700 /var/lib/service /var/lib/service/var \
      /var/lib/service/var/tokens /var/cache/service /klines /tokens \
      /tokens/venue /tokens/manager /tokens/agent /tokens/traders /tokens/operator
COPY --from=build /opt/compiled /opt/compiled
COPY --from=build /opt/service /opt/service
ENV PATH=/opt/service/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/var/cache/service SERVICE=${SERVICE}
USER 10001
WORKDIR /var/lib/service
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%d/health' % {'data-collector': 8000, 'virtual-exchange': 8100, 'hyperliquid-exchange': 8200, 'strategy-agent': 8300, 'trader-manager': 8400, 'portfolio-service': 8500}[os.environ['SERVICE']], timeout=3)"]
# The compiled engine is put where it may grow, unless it is there.
ENTRYPOINT ["/bin/sh", "-c", "cp -rn /opt/compiled/. \"$NUMBA_CACHE_DIR\" 2>/dev/null || true; exec \"$SERVICE\" \"$@\"", "service"]
CMD ["--help"]
