// Answers: a table of those that fit a search, and a card for the token that the page's address names.
const asked = document.getElementById("asked") && JSON.parse(document.getElementById("asked").textContent);
if (asked) {
  const MOST_ROWS = 200;
  const cards = new Map(asked.cards.map((card) => [card[0], card]));
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const link = (id, text) => Object.assign(make("a", text), { href: `#token-${id}` });
  const answerOf = (said) => (said[1] === null ? "(not stored)" : said[1] === "" ? "(nothing)" : said[1]);
  const row = (cells, isBad) => {
    const made = document.createElement("tr");
    for (const [content, className] of cells) {
      const cell = make("td", undefined, className);
      cell.append(content);
      made.append(cell);
    }
    if (isBad) made.className = "bad";
    return made;
  };
  const find = document.getElementById("asked-find");
  const [input, prompt, verdict] = [find.querySelector("input"), document.getElementById("asked-prompt"), document.getElementById("asked-verdict")];
  const options = (select, every, names) => {
    select.replaceChildren(...[every, ...names].map((name, place) => Object.assign(make("option", name), { value: String(place - 1) })));
  };
  options(prompt, "every prompt", asked.prompts.map((one) => one.name));
  options(verdict, "every verdict", asked.verdicts);
  const search = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [wantedPrompt, wantedVerdict] = [Number(prompt.value), Number(verdict.value)];
    const rows = [];
    let n = 0;
    for (const [id, token, , said] of asked.cards) {
      for (const one of said) {
        if (wantedPrompt >= 0 && one[0] !== wantedPrompt) continue;
        if (wantedVerdict >= 0 && one[2] !== wantedVerdict) continue;
        const text = `${id} ${token} ${one[1] ?? ""}`.toLowerCase();
        if (!words.every((word) => text.includes(word))) continue;
        n += 1;
        if (rows.length < MOST_ROWS) {
          rows.push(row([[asked.prompts[one[0]].name, "text"], [String(id), "number"], [link(id, token), "text"],
            [answerOf(one), "text long"], [asked.verdicts[one[2]], "text"]], one[3]));
        }
      }
    }
    document.querySelector("#asked-rows tbody").replaceChildren(...rows);
    find.querySelector(".count").textContent = n > rows.length ? `the first ${rows.length} of ${n} answers` : `${n} answers`;
  };
  for (const one of [input, prompt, verdict]) one.addEventListener("input", search);
  search();

  const place = document.getElementById("card");
  const close = () => {
    place.hidden = true;
    history.replaceState(null, "", location.pathname + location.search);
  };
  const show = () => {
    const found = /^#token-(\d+)$/.exec(location.hash);
    const card = found && cards.get(Number(found[1]));
    place.hidden = !card;
    if (!card) return;
    const [id, token, facts, said] = card;
    const button = Object.assign(make("button", "close"), { type: "button" });
    button.addEventListener("click", close);
    const title = make("h3", token);
    const list = make("dl");
    [["id", String(id)], ...asked.facts.map((name, number) => [name, facts[number]])].forEach(([name, value]) => {
      if (value !== "") list.append(make("dt", name), make("dd", value));
    });
    const table = make("table");
    for (const one of said) {
      const asking = asked.prompts[one[0]];
      const name = make("details");
      name.append(make("summary", asking.name));
      if (asking.text) name.append(make("pre", asking.text.replaceAll("{token}", () => token), "prompt"));
      table.append(row([[asking.text ? name : asking.name, "text"], [answerOf(one), "text long"], [asked.verdicts[one[2]], "text"]], one[3]));
    }
    place.replaceChildren(button, title, list, table);
    place.scrollTop = 0;
  };
  addEventListener("hashchange", show);
  addEventListener("keydown", (event) => { if (event.key === "Escape" && !place.hidden) close(); });
  show();

  // Tokens in tables lead to their cards.
  for (const table of document.querySelectorAll("table.sortable")) {
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const [idColumn, tokenColumn] = [names.indexOf("id"), names.indexOf("token")];
    if (idColumn < 0 || tokenColumn < 0) continue;
    for (const one of table.tBodies[0].rows) {
      const id = Number(one.cells[idColumn].dataset.sort);
      const cell = one.cells[tokenColumn];
      if (cards.has(id)) cell.replaceChildren(link(id, cell.textContent));
    }
  }
}
