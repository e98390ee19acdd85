"use strict";
// The page asks the API of its own server and shows the answers. All texts of files are
// set as text, never as markup.

const byId = id => document.getElementById(id);
const TITLES = {
  grad_cam: "Grad-CAM",
  guided_backpropagation: "guided backpropagation",
  guided_grad_cam: "guided Grad-CAM",
};
const MOST_TRIES = 20;
let model = null;
let csv = "";
let count = 0;
let busy = false;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

const percent = value => {
  const shown = 100 * value;
  if (value > 0 && shown < 0.1) return "< 0.1 %";
  if (value < 1 && shown > 99.9) return "> 99.9 %";
  return shown.toFixed(1) + " %";
};
// With all digits that count in float32, so that it decides as printed.
const exactPercent = value => `${Number((100 * value).toPrecision(9))} %`;
const decimals = value => Number(value.toPrecision(4)).toString();
const inUnit = (value, about) => [decimals(value), ...about.unit ? [about.unit] : []].join(" ");

function say(text) { byId("status").textContent = text; }

// Files

async function filesOf(transfer) {
  const entries = Array.from(transfer.items || [])
    .map(item => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some(entry => entry.isDirectory)) {
    return Array.from(transfer.files, file => [file, file.name]);
  }
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise((good, bad) => entry.file(good, bad));
    found.push([file, entry.fullPath.replace(/^\//, "")]);
    return;
  }
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    const some = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!some.length) break;
    inside.push(...some);
  }
  inside.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const one of inside) await walk(one, found);
}

function chosen(input) {
  const found = Array.from(input.files, file => [file, file.webkitRelativePath || file.name]);
  input.value = "";
  if (input.id !== "folder") return found;
  return found.filter(([file]) => !file.name.startsWith("."))
    .sort((a, b) => (a[1] < b[1] ? -1 : 1));
}

function formOf(files) {
  const form = new FormData();
  for (const [file, name] of files) form.append("files", file, name);
  return form;
}

function problem(files) {
  if (!files.length) return "No file was chosen.";
  const {files: most, bytes} = model.limits;
  if (files.length > most) {
    return `At most ${most} files are taken at a time. Received: ${files.length}.`;
  }
  const size = files.reduce((sum, [file]) => sum + file.size, 0);
  if (size > bytes) {
    return `At most ${decimals(bytes / 1e6)} MB are taken at a time. Received: `
      + `${decimals(size / 1e6)} MB.`;
  }
  return "";
}

// A busy server says when to come again.
async function post(address, files) {
  for (let tries = 1; ; tries += 1) {
    const reply = await fetch(address, {method: "POST", body: formOf(files)});
    if (reply.status !== 503 || tries === MOST_TRIES) {
      if (!reply.ok) throw new Error((await reply.json()).error);
      return reply;
    }
    const seconds = Number(reply.headers.get("retry-after")) || 2;
    say(`The server is busy; the files are sent again in ${seconds} s.`);
    await new Promise(done => setTimeout(done, 1000 * seconds));
  }
}

async function* linesOf(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    rest += value;
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

async function ask(files) {
  if (busy || !model) return;
  const wrong = problem(files);
  if (wrong) { say(wrong); return; }
  setBusy(true);
  clear();
  const bar = byId("progress");
  bar.max = files.length;
  bar.removeAttribute("value");
  bar.hidden = false;
  const counts = {done: 0, errors: 0, warned: 0};
  try {
    say(`Sending ${plural(files.length, "file")}.`);
    const reply = await post("/api/predict?format=stream&pictures=true", files);
    byId("answers").hidden = false;
    let whole = false;
    for await (const part of linesOf(reply)) {
      if (part.ended) throw new Error(part.error);
      if (part.csv !== undefined) { csv = part.csv; whole = true; continue; }
      show(part, filesOfAnswer(part, files, counts.done));
      counts.done += 1;
      counts.errors += part.error ? 1 : 0;
      counts.warned += Object.keys(part.warnings).length ? 1 : 0;
      bar.value = counts.done;
      say(`${counts.done} answered.`);
    }
    if (!whole) throw new Error("the server ended before the last answer.");
    byId("csv").disabled = false;
    const answered = counts.done - counts.errors;
    const what = model.takes === "images" ? "image" : "volume";
    say(`${answered} of ${plural(counts.done, what)} answered, ${counts.errors} with an `
      + `error, ${counts.warned} with a warning.`);
  } catch (error) {
    say(`Not answered: ${error.message}`);
  } finally {
    bar.hidden = true;
    setBusy(false);
  }
}

const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

// The files of an answer: one, or the slices of a series.
function filesOfAnswer(answer, files, number) {
  if (model.takes === "images") return [files[number]];
  const inside = files.filter(([, name]) => name.startsWith(`${answer.file}/`));
  if (inside.length) return inside;
  const own = files.find(([, name]) => name === answer.file);
  if (!own) return files;
  return /\.nii(\.gz)?$/i.test(answer.file) ? [own] : sameFolder(own, files);
}

function sameFolder([, name], files) {
  const folder = name.slice(0, name.lastIndexOf("/") + 1);
  return files.filter(([, other]) => other.startsWith(folder)
    && !/\.nii(\.gz)?$/i.test(other));
}

function setBusy(is) {
  busy = is;
  for (const id of ["choose-files", "choose-folder", "clear"]) byId(id).disabled = is;
  byId("answers").setAttribute("aria-busy", String(is));
}

function clear() {
  csv = "";
  count = 0;
  byId("csv").disabled = true;
  byId("answers").hidden = true;
  byId("cards").replaceChildren();
  byId("overview").tBodies[0].replaceChildren();
}

// Answers

function show(answer, files) {
  count += 1;
  const id = `file-${count}`;
  overviewRow(answer, id);
  const card = make("article", {class: "card", id, "aria-labelledby": `${id}-title`},
    make("h3", {id: `${id}-title`}, answer.file));
  if (answer.error) card.append(make("p", {class: "notice error"}, answer.error));
  const texts = [...Object.values(answer.warnings), ...answer.preparation];
  if (texts.length) {
    card.append(make("div", {class: "notice warning"}, make("p", {}, answer.error
      ? "The file is doubtful:" : "The answer may be worth nothing:"),
    make("ul", {class: "warnings"}, ...texts.map(text => make("li", {}, text)))));
  }
  if (!answer.error) {
    card.append(make("div", {class: "columns"},
      make("div", {}, looks(answer), ...saliency(files, id)),
      make("div", {class: "tasks"},
        ...Object.entries(answer.tasks).map(([name, one]) => task(name, one)))));
  }
  byId("cards").append(card);
}

function overviewRow(answer, id) {
  const row = make("tr", {},
    make("th", {scope: "row"}, make("a", {href: `#${id}`}, answer.file)));
  const codes = Object.keys(answer.warnings).concat(answer.preparation.length
    ? ["doubtful file"] : []);
  row.append(make("td", {}, answer.error ? "error: no answer" : codes.join(", ")));
  for (const name of Object.keys(model.tasks)) {
    const one = answer.tasks[name];
    row.append(make("td", {}, one ? short(one) : ""));
  }
  byId("overview").tBodies[0].append(row);
}

const short = one => typeof one.prediction === "number" ? decimals(one.prediction)
  : `${one.prediction} (${percent(one.calibrated[one.prediction])})`;

function looks(answer) {
  const {whole, box, seen} = answer.pictures;
  const parts = make("div", {class: "looks"});
  if (whole) {
    const frame = make("div", {class: "frame"},
      make("img", {src: whole, alt: `The image ${answer.file}`}));
    const [top, left, bottom, right] = box;
    const mark = make("div", {class: "box"});
    Object.assign(mark.style, {top: `${100 * top}%`, left: `${100 * left}%`,
      height: `${100 * (bottom - top)}%`, width: `${100 * (right - left)}%`});
    frame.append(mark);
    const found = answer.box_source === "lungs" ? "the box of the lungs"
      : `box: ${answer.box_source}`;
    parts.append(make("figure", {}, frame, make("figcaption", {},
      `The image. The frame is what the model sees (${found}).`)));
  }
  const volume = !whole;
  parts.append(make("figure", {class: `seen${volume ? " volume" : ""}`},
    make("div", {class: "frame"}, make("img", {src: seen, alt: volume
      ? `Slices of ${answer.file} as the model sees them`
      : `${answer.file} as the model sees it`})),
    make("figcaption", {}, volume ? "Slices of what the model sees, the lowest first."
      : "What the model sees.")));
  return parts;
}

function task(name, one) {
  const about = model.tasks[name];
  const part = make("section", {class: "task"});
  const heading = make("h4", {}, `${name}: `, make("b", {}, typeof one.prediction === "number"
    ? inUnit(one.prediction, about) : one.prediction));
  if (one.std !== null) {
    heading.append(` (std over the models ${decimals(one.std)})`);
  }
  part.append(heading);
  if (about.meaningless) {
    part.append(make("div", {class: "notice warning"}, make("p", {}, `${about.meaningless}.`)));
  }
  if (about.derived_from.length) {
    part.append(make("p", {class: "derived"}, `Follows from ${about.derived_from.join(", ")}.`));
  }
  const classes = Object.entries(one.calibrated);
  if (classes.length) {
    part.append(make("ul", {class: "chances"}, ...classes.map(([label, value], number) =>
      chance(label, value, label === one.prediction,
        number === 1 && classes.length === 2 ? one.operating_points : {}))));
    if (!about.calibrated) {
      part.append(make("p", {class: "derived"}, "These probabilities are not calibrated."));
    }
  }
  const points = Object.entries(one.operating_points);
  if (points.length) {
    part.append(make("ul", {class: "points"},
      ...points.map(([point, own]) => operatingPoint(about, point, own))));
  }
  return part;
}

function chance(label, value, predicted, points) {
  const fill = make("div", {class: "fill"});
  fill.style.width = `${100 * value}%`;
  const bar = make("div", {class: "bar", "aria-hidden": "true"}, fill);
  for (const {threshold} of Object.values(points)) {
    const mark = make("div", {class: "point"});
    mark.style.left = `${100 * threshold}%`;
    bar.append(mark);
  }
  return make("li", {class: predicted ? "predicted" : ""}, make("span", {}, label), bar,
    make("span", {class: "value"}, percent(value)));
}

function operatingPoint(about, point, own) {
  const {meaning} = about.operating_points[point];
  const [negative, positive] = about.classes;
  return make("li", {}, make("b", {}, own.positive ? positive : negative),
    ` at the threshold ${exactPercent(own.threshold)}: ${meaning}`);
}

// Saliency

function saliency(files, id) {
  const tasks = Object.entries(model.tasks).filter(([, about]) => about.saliency);
  if (!tasks.length) return [];
  const tasksBox = make("select", {}, ...tasks.map(([name]) => make("option", {}, name)));
  const methodsBox = make("select", {}, ...model.saliency_methods.map(name =>
    make("option", {value: name}, TITLES[name])));
  const button = make("button", {type: "button", class: "plain"}, "Show saliency");
  const place = make("div", {class: "looks", id: `${id}-saliency`});
  const line = make("p", {role: "status"});
  button.addEventListener("click", async () => {
    button.disabled = true;
    line.textContent = "Computing the map.";
    const query = new URLSearchParams({task: tasksBox.value, method: methodsBox.value});
    try {
      const reply = await post(`/api/saliency?${query}`, files);
      const found = await reply.json();
      place.replaceChildren(...found.maps.map(map => mapFigure(map, found.task)));
      line.textContent = "";
    } catch (error) {
      line.textContent = `No map: ${error.message}`;
    } finally {
      button.disabled = false;
    }
  });
  return [make("div", {class: "asks"}, make("label", {}, "Task", tasksBox),
    make("label", {}, "Method", methodsBox), button), line, place];
}

function mapFigure(map, task) {
  const text = `${TITLES[map.method]} for ${task}: ${map.explains}`;
  const volume = model.takes === "volumes";
  const figure = make("figure", {class: `seen${volume ? " volume" : ""}`},
    make("div", {class: "frame"}, make("img", {src: map.picture, alt: text})));
  const caption = make("figcaption", {}, `${text}.`);
  if (map.is_empty) {
    caption.append(" The map is zero everywhere: no place raises the score.");
  } else {
    caption.append(make("span", {class: "legend"},
      make("span", {}, map.signed ? "a brighter pixel lowers" : "weak"),
      make("span", {class: `scale${map.signed ? " signed" : ""}`}),
      make("span", {}, map.signed ? "raises the score" : "strong")));
  }
  figure.append(caption);
  return figure;
}

// Controls

function save() {
  const address = URL.createObjectURL(new Blob([csv], {type: "text/csv"}));
  make("a", {href: address, download: "answers.csv"}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function start() {
  const drop = byId("drop");
  for (const [button, input] of [["choose-files", "files"], ["choose-folder", "folder"]]) {
    byId(button).addEventListener("click", () => byId(input).click());
    byId(input).addEventListener("change", event => ask(chosen(event.target)));
  }
  // A file that misses the place must not replace the page.
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => event.preventDefault());
  drop.addEventListener("dragenter", () => drop.classList.add("over"));
  drop.addEventListener("dragover", () => drop.classList.add("over"));
  drop.addEventListener("dragleave", event => {
    if (!drop.contains(event.relatedTarget)) drop.classList.remove("over");
  });
  drop.addEventListener("drop", async event => {
    drop.classList.remove("over");
    ask(await filesOf(event.dataTransfer));
  });
  byId("csv").addEventListener("click", save);
  byId("clear").addEventListener("click", () => { clear(); say(""); });
  try {
    model = await (await fetch("/api/model")).json();
  } catch (error) {
    say(`The server does not answer: ${error.message}`);
    return;
  }
  byId("overview").tHead.rows[0].replaceChildren(
    ...["file", "warnings", ...Object.entries(model.tasks).map(([name, {unit}]) =>
      unit ? `${name} (${unit})` : name)].map(name =>
      make("th", {scope: "col"}, name)));
}

start();
