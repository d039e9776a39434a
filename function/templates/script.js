"use strict";
// Filters for what is on the page already; without this script everything is there, unfiltered.
function field(table, text, type, change) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = type;
  label.append(text);
  if (type === "checkbox") { label.className = "check"; label.prepend(input); } else { label.append(input); }
  input.addEventListener("input", () => change(input));
  table.closest(".wide").before(label);
}
for (const table of document.querySelectorAll("table[data-filter]")) {
  const rows = table.tBodies[0].rows;
  if (rows.length < 8) continue;
  field(table, "Filter these rows ", "search", (input) => {
    const wanted = input.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
for (const table of document.querySelectorAll("table[data-rules]")) {
  field(table, "Only rules that do something", "checkbox", (input) => {
    for (const row of table.tBodies[0].rows) row.hidden = input.checked && row.classList.contains("nothing");
  });
}
