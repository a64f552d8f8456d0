"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const CHUNK = 100;
  // Of a figure, and between two, in rem: as in the style.
  const NARROWEST = 9.5, GAP = 2;
  const by = (id) => document.getElementById(id);
  const svg = (name, attributes = {}) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  // Everything foreign goes through here: it is text, and stays text.
  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined && text !== null) element.textContent = text;
    return element;
  };

  const several = data.services.length > 1;
  const unique = (list) => [...new Set(list)];
  // A name may be in several regions and accounts: there it says which one it is.
  const repeats = (service, ...members) =>
    data.services.filter((other) => members.every((member) => other[member] === service[member])).length > 1;
  for (const service of data.services) {
    service.label = [service.name, repeats(service, "name") && service.region,
      repeats(service, "name", "region") && service.account].filter(Boolean).join(" ");
  }
  const all = data.services.flatMap((service) =>
    service.deployments.map((deployment) => ({ ...deployment, service })));
  all.sort((a, b) => b.at - a.at || b.number - a.number);
  for (const one of all) {
    one.key = `${one.service.key}/${one.number}`;
    one.words = [`#${one.number}`, one.verdict, one.service.label, one.tag, one.commit, one.branch,
      one.subject, one.digest, one.by, one.note, one.problem].filter(Boolean).join("\n").toLowerCase();
    // What a person wrote: there the word of a verdict may stand for itself.
    one.written = [one.tag, one.branch, one.subject].filter(Boolean).join("\n").toLowerCase();
  }

  const duration = (seconds) => {
    if (seconds === null) return "";
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    const s = Math.round(seconds), m = Math.round(seconds / 60);
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} m ${s % 60} s`;
    return `${Math.floor(m / 60)} h ${m % 60} m`;
  };
  const pad = (number) => String(number).padStart(2, "0");
  const day = (at) => {
    const date = new Date(at);
    return `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
  };
  const moment = (at) => {
    const date = new Date(at);
    return `${day(at)} ${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}`;
  };
  // What ran before the journal began, #0, is shown and is no deployment.
  const begun = (list) => list.filter((one) => one.number > 0);
  const named = (one) => one.tag || one.commit || one.short || "";
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

  const head = () => {
    const place = by("head");
    const names = unique(data.services.map((service) => service.name)).join(" · ");
    place.append(make("h1", "", names || "Nothing was deployed from here yet"));
    const places = data.services.map((service) => `${service.region}, account ${service.account}`);
    for (const one of unique(places)) place.append(make("p", "", one));
    for (const endpoint of unique(data.services.map((service) => service.endpoint).filter(Boolean))) {
      const local = /^https?:\/\/(127\.|localhost|\[::1\])/.test(endpoint);
      place.append(make("p", "world", `${local ? "sandbox" : "endpoint"}  ${endpoint}`));
    }
    place.append(make("p", "", `as of ${moment(data.now)} UTC`));
  };

  const figure = (label, value, beneath) => {
    const box = make("div");
    box.append(make("span", "label", label), make("strong", "", value), make("small", "", beneath));
    by("figures").append(box);
  };
  const figures = () => {
    const { deployments, since, changes, failed, usual } = data.figures;
    for (const { label, live } of data.services) {
      const of = several ? `${label} runs` : "live";
      if (live) figure(of, named(live) || "an image", `#${live.number}, ${moment(live.at)}`);
      else figure(of, "nothing proven", "");
    }
    figure("deployments", String(deployments), since === null ? "" : `since ${day(since)}`);
    figure("change failure rate", changes ? `${Math.round(100 * failed / changes)} %` : "no change",
      changes ? `${failed} of ${plural(changes, "change")}` : "");
    figure("usual duration", usual === null ? "unknown" : duration(usual), "median of those that went live");
  };
  // As many in each row as can be: none stands alone beneath many.
  const balance = () => {
    const place = by("figures"), count = place.childElementCount;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const most = Math.max(1, Math.floor((place.clientWidth / rem + GAP) / (NARROWEST + GAP)));
    const columns = Math.ceil(count / Math.ceil(count / most));
    place.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  };

  const listed = ({ shown, of, typed }) => `${shown} of ${plural(of, "deployment")} listed: ${typed}`;

  const swatches = (place, entries) => {
    for (const [kind, words] of entries) {
      const entry = make("span", "entry");
      entry.append(make("span", `swatch ${kind}`), words);
      place.append(entry);
    }
    return place;
  };

  const COURSE = [["fine", "went live"], ["bad", "failed, taken back or called bad"], ["other", "changed nothing, or is not over"]];
  const course = () => {
    if (!data.course) return;
    const { from, to, columns } = data.course;
    const most = Math.max(...columns.map((column) => column.fine + column.bad + column.other));
    const picture = svg("svg", { viewBox: "0 0 600 56", preserveAspectRatio: "none", role: "img" });
    picture.append(svg("line", { x1: 0, x2: 600, y1: 55.5, y2: 55.5, class: "base" }));
    columns.forEach((column, at) => {
      const bar = (height, bottom, kind) => height && picture.append(
        svg("rect", { x: at * 10 + 1, width: 8, y: bottom - height, height, rx: 1, class: kind }));
      let bottom = 55;
      for (const [kind] of COURSE) {
        const height = 50 * column[kind] / most;
        bar(height, bottom, kind);
        bottom -= height;
      }
    });
    const ends = make("p");
    const end = to - from < 2 * 86400e3 ? moment : day;
    ends.append(make("span", "", end(from)), make("span", "", end(to)));
    const seen = COURSE.filter(([kind]) => columns.some((column) => column[kind]));
    by("course").append(picture, ends, swatches(make("p", "legend"), seen));
  };

  const longest = Math.max(1, ...all.map((one) => one.took || 0));
  const steps = (one) => {
    const bar = make("span", "bar");
    const total = one.steps.reduce((sum, step) => sum + (step.took || 0), 0);
    // The square root keeps a short one visible beside a long one.
    bar.style.width = `${Math.max(6, 100 * Math.sqrt(total / longest))}%`;
    for (const step of one.steps) {
      const part = make("i", step.bad ? "failed" : step.step);
      part.style.flexGrow = String(Math.max(step.took || 0, total / 200));
      part.title = `${step.words}, ${duration(step.took)}`;
      bar.append(part);
    }
    return bar;
  };

  const LEGEND = [["build_image", "build"], ["push_image", "push"], ["change_service", "ask App Runner"],
    ["await_operation", "wait for it"], ["check_health", "prove"], ["roll_back", "go back"], ["failed", "failed"], ["preflight", "the rest"]];
  const legend = () => {
    if (all.some((one) => one.steps.length)) swatches(by("legend"), LEGEND);
  };

  const facts = (one) => {
    const list = make("dl");
    const fact = (name, value) => value && list.append(make("dt", "", name), make("dd", "", value));
    fact("begun", `${moment(one.at)} UTC by ${one.by}`);
    fact("CI run", one.run);
    fact("subject", one.subject);
    fact("branch", one.branch);
    fact("commit", one.commit && one.commit + (one.dirty ? ", with uncommitted changes" : ""));
    fact("tag", one.tag);
    fact("digest", one.digest);
    fact("proof", one.proof.join(", "));
    fact("problem", one.problem);
    fact("note", one.note);
    return list;
  };
  const details = (one) => {
    const box = make("div", "details");
    const table = make("table"), body = make("tbody");
    for (const step of one.steps) {
      const line = make("tr"), name = make("td", "name");
      name.append(make("span", `swatch ${step.bad ? "failed" : step.step}`), step.words);
      line.append(name, make("td", "num", duration(step.took)), make("td", step.bad ? "text failed-text" : "text", (step.bad ? "failed: " : "") + step.text));
      body.append(line);
    }
    table.append(body);
    box.append(facts(one), table);
    return box;
  };

  // Cut on the screen where there is no room; whole in the details, and where the pointer rests.
  const subject = (text) => {
    const element = make("span", "subject", text);
    element.title = text;
    return element;
  };

  const item = (one) => {
    const element = make("li", `k-${one.kind}`);
    const row = make("button", "row"), title = make("span", "title");
    row.type = "button";
    row.setAttribute("aria-expanded", "false");
    title.append(make("span", "number", `#${one.number}`));
    if (several) title.append(make("span", "service", one.service.label));
    title.append(make("span", "verdict", one.verdict));
    title.append(make("span", "mono", named(one)));
    if (one.subject) title.append(subject(one.subject));
    const meta = [one.by, one.branch, one.note].filter(Boolean).join(" · ");
    row.append(title, make("span", "when", `${moment(one.at)}${one.took === null ? "" : `, ${duration(one.took)}`}`));
    if (one.steps.length) row.append(steps(one));
    row.append(make("span", "meta", meta));
    element.append(make("span", "dot"), row);
    row.addEventListener("click", () => {
      const open = element.classList.toggle("open");
      row.setAttribute("aria-expanded", String(open));
      if (open) element.append(details(one)); else element.querySelector(".details").remove();
      arrows();
    });
    one.element = element;
    return element;
  };

  // Where a dot stands; none where its deployment is not on the page now.
  const stand = (one) => one && one.element && one.element.isConnected ? one.element.offsetTop + 26 : null;
  const arrows = () => {
    const old = by("arrows");
    if (old) old.remove();
    const picture = svg("svg", { id: "arrows", "aria-hidden": "true" });
    const marker = svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" });
    marker.append(svg("path", { d: "M0 0 L8 4 L0 8 z" }));
    const definitions = svg("defs");
    definitions.append(marker);
    picture.append(definitions);
    for (const one of shown.filter((one) => one.back !== null)) {
      const from = stand(one), to = stand(index.get(`${one.service.key}/${one.back}`));
      if (from === null || to === null) continue;
      const reach = Math.max(2, 22 - Math.sqrt(to - from) * 0.9);
      const path = svg("path", { d: `M25 ${from} C ${reach} ${from + 14}, ${reach} ${to - 14}, 24 ${to}`, "marker-end": "url(#tip)" });
      if (!one.asked) path.setAttribute("class", "own");
      picture.append(path);
    }
    by("timeline").prepend(picture);
  };

  const index = new Map(all.map((one) => [one.key, one]));
  let wanted = all, shown = [];
  const extend = () => {
    const next = wanted.slice(shown.length, shown.length + CHUNK);
    const batch = document.createDocumentFragment();
    next.forEach((one) => batch.append(item(one)));
    by("list").append(batch);
    shown = shown.concat(next);
    const left = wanted.length - shown.length;
    by("more").hidden = left === 0;
    by("more").textContent = `show ${Math.min(CHUNK, left)} more of ${left}`;
    arrows();
  };
  // A number means the deployment itself, wherever else it is spoken of.
  const test = (word) => /^#\d+$/.test(word)
    ? (one) => one.number === Number(word.slice(1))
    : (one) => one.words.includes(word);
  // A verdict's word means the verdict, as `history --status` takes it: with a blank, a dash or an underscore.
  const tests = (text) => {
    let rest = ` ${text.toLowerCase().trim().replace(/\s+/g, " ")} `;
    const found = [];
    for (const verdict of data.verdicts) {
      for (const form of [verdict, verdict.replace(/ /g, "-"), verdict.replace(/ /g, "_")]) {
        if (!rest.includes(` ${form} `)) continue;
        rest = rest.replace(` ${form} `, " ");
        const several = verdict.includes(" ");
        found.push((one) => one.verdict === verdict || (!several && one.written.includes(verdict)));
      }
    }
    return found.concat(rest.split(" ").filter(Boolean).map(test));
  };
  const filter = () => {
    const fits = tests(by("filter").value);
    const service = by("service").value;
    wanted = all.filter((one) => (!service || one.service.key === service) && fits.every((fit) => fit(one)));
    shown = [];
    by("list").replaceChildren();
    if (wanted.length === 0) by("list").append(make("li", "none", "No deployment is like that."));
    const [found, there] = [begun(wanted).length, begun(all).length];
    by("count").textContent = wanted.length === all.length ? plural(there, "deployment") : `${found} of ${there}`;
    extend();
  };

  if (several) {
    by("service").hidden = false;
    by("service").append(new Option("all services", ""), ...data.services.map((service) => new Option(service.label, service.key)));
  }
  head();
  if (data.services.length) {
    figures();
    balance();
  }
  course();
  if (data.listed) by("selection").textContent = listed(data.listed);
  legend();
  by("filter").addEventListener("input", filter);
  by("service").addEventListener("change", filter);
  by("more").addEventListener("click", extend);
  window.addEventListener("resize", () => { balance(); arrows(); });
  document.querySelector("search").hidden = data.services.length === 0;
  if (data.services.length) filter();
})();
