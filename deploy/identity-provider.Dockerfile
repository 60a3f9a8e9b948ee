# The identity provider of compose.access.yaml: that of the tests, so it needs what these need.
ARG BUILD_IMAGE=docker.io/library/node:20-trixie-slim
FROM ${BUILD_IMAGE}
WORKDIR /opt/pierone
COPY package.json package-lock.json .npmrc ./
COPY scripts/no-scarf scripts/no-scarf
RUN npm ci --no-audit --no-fund
COPY . .
USER 65532:65532
EXPOSE 9000
ENTRYPOINT ["node", "--import", "tsx", "scripts/identity-provider.ts"]
