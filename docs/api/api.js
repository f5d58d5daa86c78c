// Shows the OpenAPI document of one service with Swagger UI. "Try it out" sends the session cookie, as to any page.
const part = new URLSearchParams(location.search).get("part") ?? "backend";
const description = descriptions[part] ?? descriptions.backend;
const isServed = "url" in description;
for (const link of document.querySelectorAll("[data-part]")) {
  if (link.dataset.part === part) link.setAttribute("aria-current", "page");
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

// Swagger UI itself filters by tag alone. Here, a call is found by its path and its texts, and by those of the schemas that it
// refers to, so also by a field. Every call refers to `Problem`, which says nothing about it.
const SCHEMA = /"#\/components\/schemas\/([^"]+)"/g;
const withSchemas = (part, schemas, seen) => {
  const text = JSON.stringify(part);
  const added = [...text.matchAll(SCHEMA)].map(([, name]) => name).filter((name) => !seen.has(name));
  for (const name of added) seen.add(name);
  return [text, ...added.map((name) => withSchemas(schemas[name], schemas, seen))].join(" ");
};
const texts = new Map();
const textOf = (call) => {
  const { path, method, operation } = call.toJS();
  const key = `${method} ${path}`;
  if (!texts.has(key)) {
    const { schemas } = ui.specSelectors.specJson().get("components").toJS();
    texts.set(key, `${key} ${withSchemas(operation, schemas, new Set(["Problem"]))}`.toLowerCase());
  }
  return texts.get(key);
};
const search = () => ({
  components: { FilterContainer: () => null },
  fn: {
    opsFilter: (tags, phrase) => {
      const words = phrase.toLowerCase().split(/\s+/).filter(Boolean);
      const left = tags
        .map((tag) => tag.update("operations", (all) => all.filter((one) => words.every((word) => textOf(one).includes(word)))))
        .filter((tag) => tag.get("operations").size);
      document.querySelector("#none").hidden = left.size > 0;
      return left;
    },
  },
});

const ui = SwaggerUIBundle({
  ...description,
  dom_id: "#calls",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  plugins: [search],
  supportedSubmitMethods: isServed ? ["get", "post", "put", "patch", "delete"] : [],
  tryItOutEnabled: isServed,
  validatorUrl: null,
});
// Swagger UI resolves references against an address, which must not be that of a file. It asks nothing of this one.
document.body.classList.toggle("of-files", !isServed);
if (!isServed) ui.specActions.updateUrl("http://localhost/");
document.querySelector("#search").addEventListener("input", ({ target }) => {
  document.querySelector("#none").hidden = true;
  ui.layoutActions.updateFilter(target.value.trim() || true);
});

const showSession = async () => {
  const answer = await fetch("/auth/me").catch(() => null);
  return answer?.ok
    ? `Calls are sent with your session, as ${(await answer.json()).username}.`
    : "You have no session here. POST /auth/login of the backend opens one; calls are then sent with it.";
};
const session = document.querySelector("#session");
if (isServed) showSession().then((said) => { session.textContent = said; });
else session.textContent = "To try calls, open /api/ of a running stack.";
