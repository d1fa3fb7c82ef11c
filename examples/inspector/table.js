// A table to sort and to filter. Its DOM is bounded, whatever it is given.

import { element } from "./format.js";

/** Rows that are shown, at most. */
const MOST = 200;

/** A column: its title, the text of a row, and the value by which it is sorted. */
export class Table {
  /** How many rows the filter leaves. */
  matching = 0;
  /** How many of them are shown. */
  shown = 0;
  #table;
  #columns;
  #onClick;
  #rows = [];
  #filter = "";
  #sorted;
  #descends;
  #body = document.createElement("tbody");
  #buttons = [];

  /**
   * @param columns Objects of `title`, `text(row)`, `value(row)`, and `isNumber`
   * @param sorted The title of the column by which it is sorted at first
   * @param onClick Called with the row whose first cell is clicked
   */
  constructor(table, columns, sorted, descends, onClick = null) {
    this.#table = table;
    this.#columns = columns;
    this.#onClick = onClick;
    this.#sorted = columns.findIndex(({ title }) => title === sorted);
    this.#descends = descends;
    this.#createHead();
    table.append(this.#body);
  }

  set rows(rows) {
    this.#rows = rows;
    this.#draw();
  }

  set filter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#draw();
  }

  #createHead() {
    const row = document.createElement("tr");
    for (const [index, column] of this.#columns.entries()) {
      const cell = element("th", "", column.isNumber ? "number" : "");
      cell.scope = "col";
      const button = element("button", column.title);
      button.type = "button";
      button.title = column.help ?? "";
      button.onclick = () => this.#sortBy(index);
      cell.append(button);
      row.append(cell);
      this.#buttons.push(cell);
    }
    const head = document.createElement("thead");
    head.append(row);
    this.#table.append(head);
    this.#markSorted();
  }

  #sortBy(index) {
    const { isNumber = false } = this.#columns[index];
    this.#descends = index === this.#sorted ? !this.#descends : isNumber;
    this.#sorted = index;
    this.#markSorted();
    this.#draw();
  }

  #markSorted() {
    for (const [index, cell] of this.#buttons.entries()) {
      if (index !== this.#sorted) cell.removeAttribute("aria-sort");
      else cell.ariaSort = this.#descends ? "descending" : "ascending";
    }
  }

  #matches(row) {
    return this.#filter === "" ||
      this.#columns.some(({ text }) =>
        text(row).toLowerCase().includes(this.#filter)
      );
  }

  #draw() {
    const { value } = this.#columns[this.#sorted];
    const sign = this.#descends ? -1 : 1;
    const rows = this.#rows.filter((row) => this.#matches(row))
      .sort((a, b) => sign * compare(value(a), value(b)));
    this.matching = rows.length;
    this.shown = Math.min(rows.length, MOST);
    const body = this.#body;
    while (body.rows.length > this.shown) body.lastChild.remove();
    for (let index = 0; index < this.shown; index++) {
      this.#fill(body.rows[index] ?? this.#addRow(), rows[index]);
    }
  }

  /** A row of the table is used for another row of the data: the focus stays. */
  #addRow() {
    const row = this.#body.insertRow();
    for (const [index, column] of this.#columns.entries()) {
      const isHead = index === 0 && this.#onClick !== null;
      const cell = element(isHead ? "th" : "td");
      if (isHead) {
        cell.scope = "row";
        cell.append(element("button"));
      }
      if (column.isNumber) cell.classList.add("number");
      row.append(cell);
    }
    return row;
  }

  #fill(row, data) {
    row.className = data.mark ?? "";
    for (const [index, column] of this.#columns.entries()) {
      const cell = row.cells[index];
      const target = cell.firstElementChild ?? cell;
      const text = column.text(data);
      if (target.textContent !== text) target.textContent = text;
      if (column.isLong) cell.title = text;
      if (target !== cell) {
        target.ariaLabel = `Story of descriptor ${text}`;
        target.onclick = () => this.#onClick(data);
      }
    }
  }
}

function compare(a, b) {
  if (a === b) return 0;
  // What is not known comes last, in both directions that matter.
  if (a === null) return -1;
  if (b === null) return 1;
  return a < b ? -1 : 1;
}
