"use strict";
for (const button of document.querySelectorAll("thead th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement, table = head.closest("table");
    const column = head.cellIndex, body = table.tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const numeric = head.classList.contains("number");
    const rows = Array.from(body.rows).map(row => {
      const cell = row.cells[column];
      const value = cell.dataset.value;
      return [row, value === undefined ? null : Number(value), cell.textContent];
    });
    rows.sort((a, b) => {
      if (numeric) {
        // What is no number stays below, in either direction.
        if (a[1] === null || b[1] === null) return (a[1] === null) - (b[1] === null);
        return down ? b[1] - a[1] : a[1] - b[1];
      }
      const order = a[2].localeCompare(b[2], "en", {numeric: true});
      return down ? -order : order;
    });
    body.append(...rows.map(item => item[0]));
  });
}
for (const box of document.querySelectorAll("input[data-filter]")) {
  const body = document.getElementById(box.dataset.filter).tBodies[0];
  const count = document.getElementById(box.dataset.filter + "-count");
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let seen = 0;
    for (const row of body.rows) {
      // textContent alone would join neighbouring cells into one word.
      const text = Array.from(row.cells, cell => cell.textContent).join(" ").toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      if (!row.hidden) seen += 1;
    }
    count.textContent = seen + " of " + body.rows.length + " rows";
  });
}
// What does not scroll needs no stop of the tabulator key. Without this script, all of
// them have one.
const watched = new ResizeObserver(entries => {
  for (const {target} of entries) {
    const scrolls = target.scrollWidth > target.clientWidth
      || target.scrollHeight > target.clientHeight;
    if (scrolls) target.tabIndex = 0; else target.removeAttribute("tabindex");
  }
});
for (const part of document.querySelectorAll(".scroll, pre")) watched.observe(part);
// A link to something inside a closed fold opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target; fold; fold = fold.parentElement) {
    if (fold.tagName === "DETAILS") fold.open = true;
  }
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();
