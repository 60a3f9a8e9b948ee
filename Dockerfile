# The image of Pier One: docs/container.md. `scripts/build-image` says where its sources come from.
#
# BUILD_IMAGE has Node.js, npm and a shell; its Node.js becomes that of the image, and its glibc must not be newer than
# that of BASE. BASE needs glibc and libstdc++ (Debian's packages libc6, libgcc-s1 and libstdc++6), and nothing else.
ARG BUILD_IMAGE=docker.io/library/node:20-trixie-slim
ARG BASE=gcr.io/distroless/cc-debian13:nonroot

FROM ${BUILD_IMAGE} AS build
# Another registry of packages, or none: npm reads them.
ARG NPM_CONFIG_REGISTRY
ARG NPM_CONFIG_OFFLINE
WORKDIR /opt/pierone
COPY package.json package-lock.json .npmrc ./
COPY scripts/no-scarf scripts/no-scarf
RUN npm ci --no-audit --no-fund
COPY . .
ARG SCM_SOURCE
RUN npm run build && npm prune --omit=dev --no-audit --no-fund && node scripts/assemble-image.js /image

FROM ${BASE}
# Of Node.js as of PostgreSQL's initdb, which starts a shell; a base may have it already.
COPY --from=build /image/node /image/pierone /usr/local/bin/
COPY --from=build /image/sh /bin/sh
COPY --from=build /image/root/ /
COPY --from=build /opt/pierone/package.json /opt/pierone/LICENSE /opt/pierone/
COPY --from=build /opt/pierone/node_modules /opt/pierone/node_modules
COPY --from=build /opt/pierone/dist /opt/pierone/dist
COPY --from=build --chown=65532:65532 /image/data /data

ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=16 \
    HTTP_HOST=0.0.0.0 \
    MGMT_HTTP_HOST=0.0.0.0 \
    STORAGE_DIRECTORY=/data \
    SHUTDOWN_TIMEOUT=6
# A number, so that Kubernetes sees that it isn't root.
USER 65532:65532
WORKDIR /opt/pierone
VOLUME /data
EXPOSE 8080 7979
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/usr/local/bin/node", "/opt/pierone/dist/health-check.js"]
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=4", "/opt/pierone/dist/main.js"]

ARG VERSION
ARG REVISION
ARG SOURCE
ARG CREATED
LABEL org.opencontainers.image.title="Pier One" \
      org.opencontainers.image.description="A Docker/OCI registry with immutable tags, team namespaces and an audit trail" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.created="${CREATED}"
