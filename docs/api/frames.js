// Shows the AsyncAPI document: what the server sends and what clients may send, each frame with its fields and an example.
const named = (reference, within) =>
  reference.split("/").slice(1).reduce((part, key) => part[key.replaceAll("~1", "/").replaceAll("~0", "~")], within);

const element = (name, content = [], attributes = {}) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
};

// Texts have names between backticks.
const texts = (text) => text.split("`").map((part, index) => (index % 2 ? element("code", part) : part));

const typeOf = (schema, within) => {
  if (schema.$ref) return typeOf(named(schema.$ref, within), within);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.length > 12 ? schema.type : schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, within)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items, within)}`;
  if (schema.type === "object" && schema.properties) return `{${Object.keys(schema.properties).join(", ")}}`;
  return schema.format ? `${schema.type} (${schema.format})` : schema.type ?? "any";
};

const fields = (schema, within) => {
  const isAlways = (name) => schema.required?.includes(name) ?? false;
  const sorted = Object.entries(schema.properties).sort(([one], [other]) => isAlways(other) - isAlways(one));
  const rows = sorted.map(([name, field]) => {
    return element("tr", [
      element("th", element("code", name), { scope: "row" }),
      element("td", element("code", typeOf(field, within))),
      element("td", texts(`${isAlways(name) ? "" : "Sometimes. "}${field.description ?? ""}`)),
    ]);
  });
  const heads = ["Field", "Type", "Meaning"].map((text) => element("th", text, { scope: "col" }));
  return element("table", [element("thead", element("tr", heads)), element("tbody", rows)]);
};

const frame = (message, within) => {
  const schema = named(message.payload.$ref, within);
  return element("article", [
    element("h3", element("code", message.name)),
    element("p", texts(message.summary), { class: "text" }),
    fields(schema, within),
    ...message.examples.map((one) => element("pre", element("code", JSON.stringify(one.payload, null, 2)))),
  ], { "data-text": JSON.stringify([message, schema]).toLowerCase() });
};

const search = (words) => {
  let left = 0;
  for (const part of document.querySelectorAll("article")) {
    part.hidden = !words.every((word) => part.dataset.text.includes(word));
    left += part.hidden ? 0 : 1;
  }
  document.querySelector("#none").hidden = left > 0;
};

const show = (described) => {
  const { socket } = described.channels;
  document.querySelector("#address").textContent = socket.address;
  document.querySelector("#about").append(...texts(socket.description));
  const list = document.querySelector("#frames");
  const order = [["send", "From the server"], ["receive", "From clients"]];
  for (const [action, title] of order) {
    const operation = Object.values(described.operations).find((one) => one.action === action);
    const messages = operation.messages.map((one) => named(named(one.$ref, described).$ref, described));
    list.append(element("section", [element("h2", title), ...messages.map((one) => frame(one, described))]));
  }
  list.dataset.state = "shown";
};

const { spec, url } = descriptions.frames;
(spec ? Promise.resolve(spec) : fetch(url).then((answer) => answer.json())).then(show);
document.querySelector("#search").addEventListener("input", ({ target }) => {
  search(target.value.toLowerCase().split(/\s+/).filter(Boolean));
});
