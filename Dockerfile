# One image for both demo services; compose.yaml says which of them a container runs.

FROM node:22-bookworm-slim AS build
WORKDIR /workspace
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY nest-cli.json tsconfig.json ./
COPY libs libs
COPY apps apps
RUN npx nest build demo-orders && npx nest build demo-inventory
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /srv
COPY --from=build /workspace/package.json ./
COPY --from=build /workspace/node_modules node_modules
COPY --from=build /workspace/dist dist
# Where a volume for the configuration's snapshot belongs; the volume takes its owner over.
RUN install -d -o node -g node /var/lib/demo
USER node
ENV HOST=0.0.0.0 PORT=3000
EXPOSE 3000
# Node itself is the process that gets SIGTERM, so that a stop is a hand-over. compose.yaml puts
# an init in front of it, which passes signals on.
CMD ["node", "dist/apps/demo-orders/apps/demo-orders/src/main.js"]
