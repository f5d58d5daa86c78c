// At the front door, each service describes itself. The docs site has a file of this name with the documents in it.
globalThis.descriptions = {
  backend: { url: "/openapi.json" },
  "data-processor": { url: "/data-processor/openapi.json" },
  frames: { url: "/asyncapi.json" },
};
