# The long-running form, `ct-klaviyo serve`, as an image: docs/deploy-container.md says how to run it.
# The version of Python is that of the functions on Google Cloud and of the bundle for Connect.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
COPY requirements.txt ./
RUN pip --python /opt/venv/bin/python install --require-hashes -r requirements.txt
# What makes a wheel of the sources is locked, too, and stays in this stage.
COPY requirements-build.txt ./
RUN pip install --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY functions/ functions/
COPY shared/ shared/
# Compiled here, because who runs it later may not write.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/venv/bin/python install --no-deps --no-index dist/*.whl \
    && pip --python /opt/venv/bin/python check \
    && python -m compileall -q /opt/venv/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="commercetools-klaviyo-sync" \
      org.opencontainers.image.description="Keeps Klaviyo's profiles, events and catalog true to commercetools." \
      org.opencontainers.image.licenses="Apache-2.0"
# The base image comes without compiled modules; without them each process takes several times as long to start.
RUN python -m compileall -q "$(python -c 'import os; print(os.path.dirname(os.__file__))')"
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app \
    && install --directory --owner=app --group=app --mode=0700 /data
COPY --from=build /opt/venv /opt/venv
# Servers that listen on all addresses refuse to start unguarded: BULK_IMPORT_API_KEY, PUSH_SERVICE_ACCOUNT and PUSH_AUDIENCE.
ENV PATH=/opt/venv/bin:${PATH} BIND_HOST=0.0.0.0 STATE_PATH=/data/state.sqlite3
WORKDIR /app
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8080 6779
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "-m", "shared.local.health"]
CMD ["ct-klaviyo", "serve"]
