# One replica. Its database and its Redis are elsewhere; /data is a copy that can be made anew.
FROM node:26-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /zapiska
COPY package.json package-lock.json ./
RUN npm ci --omit=dev && mkdir /data node_modules/.cache && chown node:node /data node_modules/.cache
COPY src ./src
ENV DATA_DIR=/data HTTP_HOST=0.0.0.0 HTTP_PORT=8080 LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
USER node
HEALTHCHECK --start-period=30s --interval=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health/live').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts", "start"]
