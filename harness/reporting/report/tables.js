// Tables: numbers sort as numbers; empty cells stay last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const sortBy = (column) => {
    const head = heads[column];
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const key = (row) => row.cells[column].dataset.sort;
    const isEmpty = (text) => text === "" || text === "None";
    const compare = (a, b) => {
      if (isEmpty(a) || isEmpty(b)) return isEmpty(a) - isEmpty(b);
      const x = Number(a), y = Number(b);
      const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
      return descending ? -order : order;
    };
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
  };
  heads.forEach((head, column) => {
    head.addEventListener("click", () => sortBy(column));
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sortBy(column); });
  });
}
// Search: words that a row must hold, `column:text`, `column<number`, `column>number`.
for (const input of document.querySelectorAll("p.find input")) {
  const place = input.closest("p").nextElementSibling;
  const table = place.querySelector("table");
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim().toLowerCase());
  const rows = [...table.tBodies[0].rows];
  const count = input.parentElement.querySelector(".count");
  const condition = (word) => {
    const at = word.search(/[:<>]/);
    const column = at > 0 ? names.findIndex((name) => name.replaceAll(" ", "-") === word.slice(0, at) || name === word.slice(0, at)) : -1;
    if (column < 0) return (row) => row.textContent.toLowerCase().includes(word);
    const sign = word[at], value = word.slice(at + 1);
    if (sign === ":") return (row) => row.cells[column].textContent.toLowerCase().includes(value);
    const limit = Number(value.replace("\u2212", "-"));
    return (row) => {
      const sort = row.cells[column].dataset.sort;
      return sort !== "" && (sign === "<" ? Number(sort) < limit : Number(sort) > limit);
    };
  };
  input.addEventListener("input", () => {
    const conditions = input.value.toLowerCase().split(/\s+/).filter(Boolean).map(condition);
    let left = 0;
    for (const row of rows) {
      const isShown = conditions.every((holds) => holds(row));
      row.hidden = !isShown;
      left += isShown;
    }
    count.textContent = conditions.length ? `${left} of ${rows.length} rows` : "";
  });
}
