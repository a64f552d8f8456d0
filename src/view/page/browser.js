"use strict";
// As much of a browser as the page's script needs. Reads a page from standard input; the arguments are
// the width of its content and what is typed into the filter, one after the other. Prints what is shown.
const [width, ...filters] = process.argv.slice(1);
const html = require("fs").readFileSync(0, "utf8");
const inside = (opening) => html.split(opening)[1].split("</script>")[0];

class Element {
  constructor(name, text = "") {
    Object.assign(this, { name, own: text, children: [], style: {}, listeners: {}, className: "", value: "" });
    this.clientWidth = Number(width);
    this.classList = { toggle: () => true };
  }
  get childElementCount() { return this.children.length; }
  get textContent() { return this.own || this.children.map((one) => one.textContent ?? one).join("|"); }
  set textContent(text) { this.own = text; }
  append(...more) { this.children.push(...more.flatMap((one) => one.name === "fragment" ? one.children : [one])); }
  prepend() {}
  replaceChildren() { this.children = []; }
  setAttribute() {}
  addEventListener(name, listener) { this.listeners[name] = listener; }
  // Every element beneath, or this one, of the class.
  all(className) {
    const beneath = this.children.flatMap((one) => one.all ? one.all(className) : []);
    return this.className === className ? [this, ...beneath] : beneath;
  }
}

const places = new Map();
const place = (id) => places.get(id) ?? places.set(id, new Element(id)).get(id);
globalThis.document = {
  documentElement: null,
  getElementById: (id) => id === "arrows" ? null : place(id),
  querySelector: place,
  createElement: (name) => new Element(name),
  createElementNS: (_, name) => new Element(name),
  createDocumentFragment: () => new Element("fragment"),
};
globalThis.window = new Element("window");
globalThis.getComputedStyle = () => ({ fontSize: "16px" });
globalThis.Option = class extends Element { constructor(text) { super("option", text); } };

place("data").textContent = inside('<script type="application/json" id="data">');
new Function(inside("<script>"))();
const listed = (typed) => {
  place("filter").value = typed;
  place("filter").listeners.input();
  return place("list").all("number").map((number) => number.textContent);
};
const lists = filters.map(listed);
place("list").all("row")[0]?.listeners.click();
console.log(JSON.stringify({
  lists,
  head: place("head").textContent,
  figures: place("figures").textContent,
  columns: place("figures").style.gridTemplateColumns,
  selection: place("selection").textContent,
  searchable: !place("search").hidden,
  details: place("list").all("details")[0]?.textContent,
}));
