# The agent (docs/agent.md), which runs containers as processes of its own: docker build -t locaria-agent .
# For a reproducible image, give the base with its digest: --build-arg BASE=python:…@sha256:…
ARG BASE=python:3.13.1-slim-bookworm

FROM ${BASE} AS packages
ARG PSYCOPG=3.2.3
WORKDIR /opt/locaria
COPY . .
# Editable: SQL, Lambda functions and containers are read from the checkout, which stays where it is.
RUN sh containers/packing/install.sh "psycopg[binary]==${PSYCOPG}" -e ./locaria_reporter -e . $(printf -- '-r %s ' containers/*/requirements.txt) \
 && rm -rf *.egg-info build */*.egg-info */build \
 && python3 -m compileall -q --invalidation-mode unchecked-hash .

FROM ${BASE}
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/locaria --shell /usr/sbin/nologin locaria
COPY --from=packages /opt /opt
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /opt/locaria
USER 10001
VOLUME /var/lib/locaria
STOPSIGNAL SIGTERM
ENTRYPOINT ["locaria", "agent"]
