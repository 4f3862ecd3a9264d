# One node of Playhouse: compiled in the first stage, production dependencies only in the second, run without root.
# Node 24 is the long-term support line; the code runs on 20.19 and newer. How far the tag was looked up: system/decisions.md (128).
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-fund --no-audit
COPY tsconfig.json ./
COPY config config
COPY system system
COPY actors actors
COPY gateway gateway
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-fund --no-audit

FROM node:24-bookworm-slim
ENV NODE_ENV=production CHAT_HOST=0.0.0.0 CHAT_PORT=3000 CHAT_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# A named volume takes over this folder's owner when it is first used.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.CHAT_PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Not through npm: signals must reach node, which drains on SIGTERM.
CMD ["node", "--enable-source-maps", "--single-threaded-gc", "--no-allocation-site-pretenuring", "--heap-growing-percent=400", "--max-semi-space-size=32", "dist/system/main.js"]
