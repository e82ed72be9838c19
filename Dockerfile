# The agent (docs/agent.md), which runs containers as processes of its own: docker build -t locaria-agent .
ARG BASE=python:3.13.1-slim-bookworm
FROM ${BASE}

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="locaria agent" \
      org.opencontainers.image.description="Starts Locaria's containers for a Postgres of your own" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The checkout stays where it is: SQL, Lambda functions and containers are read from it.
WORKDIR /opt/locaria
COPY . .
RUN pip install --no-cache-dir -e ./locaria_reporter -e . $(printf -- '-r %s ' containers/*/requirements.txt) \
 && useradd --system --uid 10001 --create-home --home-dir /var/lib/locaria --shell /usr/sbin/nologin locaria

ENV PYTHONUNBUFFERED=1
USER 10001
VOLUME /var/lib/locaria
STOPSIGNAL SIGTERM
ENTRYPOINT ["locaria", "agent"]
