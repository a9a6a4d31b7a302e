// What JavaScript adds to the pages of records. All of them work without it.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // What only JavaScript can make useful is hidden until it runs, and the reverse.
  function prepare(root) {
    for (const element of all("[data-select-all], [data-remove-row], [data-add-filter-row], [data-format], [data-copy]", root)) {
      element.hidden = false;
    }
    for (const label of all("[data-select-all-label], [data-without-javascript]", root)) label.hidden = true;
    // One panel at a time: the menus' script sees to that. By its name, one that is swapped in open would be closed.
    for (const panel of all("details.panel[name]", root)) panel.removeAttribute("name");
    for (const box of all("[data-editor-box]", root)) numberLines(box);
    countSelected();
  }

  // The grid: selection, opening a row, moving between rows.
  function countSelected() {
    const boxes = all("[data-select]");
    const chosen = boxes.filter((box) => box.checked).length;
    for (const label of all("[data-selected-count]")) label.textContent = chosen ? ` (${chosen})` : "";
    for (const box of all("[data-select-all]")) {
      box.checked = boxes.length > 0 && chosen === boxes.length;
      box.indeterminate = chosen > 0 && chosen < boxes.length;
    }
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-select-all]")) {
      for (const box of all("[data-select]")) box.checked = event.target.checked;
    }
    if (event.target.matches("[data-select], [data-select-all]")) countSelected();
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
  document.addEventListener("dblclick", (event) => {
    const row = event.target.closest("[data-row]");
    if (row && !event.target.closest("a, input")) row.querySelector("[data-open]").click();
  });
  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.("[data-open]");
    if (!link || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const links = all("[data-open]");
    const next = links[links.indexOf(link) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });

  // The filter builder: more rows, fewer rows. Every row keeps a number in its labels.
  function renumber(rows) {
    [...rows.children].forEach((row, index) => {
      for (const control of all("[aria-label]", row)) {
        control.setAttribute("aria-label", control.getAttribute("aria-label").replace(/\d+/, String(index + 1)));
      }
      for (const text of all("[data-remove-row] .visually-hidden", row)) text.textContent = `Remove row ${index + 1}`;
    });
  }
  function emptied(row) {
    for (const control of all("input", row)) {
      control.value = "";
      control.classList.remove("is-invalid");
      control.removeAttribute("aria-invalid");
      control.removeAttribute("aria-describedby");
    }
    for (const select of all("select", row)) select.selectedIndex = 0;
    for (const error of all(".field-error", row)) error.remove();
    return row;
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-add-filter-row]")) {
      const rows = document.querySelector("[data-filter-rows]");
      rows.append(emptied(rows.lastElementChild.cloneNode(true)));
      renumber(rows);
      rows.lastElementChild.querySelector("input").focus();
    }
    const remove = event.target.closest("[data-remove-row]");
    if (remove) {
      const rows = document.querySelector("[data-filter-rows]");
      const row = remove.closest("[data-filter-row]");
      const next = row.nextElementSibling || row.previousElementSibling;
      if (rows.children.length > 1) row.remove();
      else emptied(row);
      renumber(rows);
      (next || rows.firstElementChild).querySelector("input").focus();
    }
  });

  // The editor: line numbers, formatting, a jump to the line of a problem, a word before leaving unsaved.
  function numberLines(box) {
    const text = box.querySelector("textarea");
    const lines = box.querySelector("[data-editor-lines]");
    if (!text || !lines) return;
    const wrong = new Set(all("[data-goto-line]").map((link) => Number(link.dataset.gotoLine)));
    const draw = () => {
      const count = text.value.split("\n").length;
      if (lines.childElementCount === count) return;
      lines.replaceChildren(
        ...Array.from({ length: count }, (_, index) => {
          const line = document.createElement("span");
          line.textContent = `${index + 1}\n`;
          if (wrong.has(index + 1)) line.className = "is-wrong";
          return line;
        }),
      );
    };
    const follow = () => { lines.scrollTop = text.scrollTop; };
    lines.hidden = false;
    box.classList.add("has-lines");
    if (!box.dataset.prepared) {
      box.dataset.prepared = "yes";
      text.addEventListener("input", draw);
      text.addEventListener("scroll", follow);
    }
    draw();
    follow();
  }
  function goTo(text, line, column) {
    const lines = text.value.split("\n");
    const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    text.focus();
    text.setSelectionRange(before + column - 1, before + (lines[line - 1] || "").length);
    const height = parseFloat(getComputedStyle(text).lineHeight);
    text.scrollTop = Math.max(0, (line - 4) * height);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-goto-line]");
    if (link) {
      event.preventDefault();
      goTo(document.querySelector("[data-editor]"), Number(link.dataset.gotoLine), Number(link.dataset.gotoColumn));
    }
    const format = event.target.closest("[data-format]");
    if (format) formatted(document.getElementById(format.dataset.format));
  });
  // Only white space changes: numbers that JavaScript cannot hold exactly, and their notation, stay as they are.
  function formatted(text) {
    const message = document.querySelector("[data-editor-message]");
    try {
      JSON.parse(text.value);
    } catch (error) {
      message.textContent = `This is not valid JSON yet: ${error.message}`;
      return;
    }
    message.textContent = "";
    text.value = indented(text.value.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) || []);
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }
  function indented(tokens) {
    let depth = 0;
    let made = "";
    tokens.forEach((token, index) => {
      const next = tokens[index + 1];
      const before = tokens[index - 1];
      if ("]}".includes(token)) {
        depth -= 1;
        if (before !== "[" && before !== "{") made += `\n${"  ".repeat(depth)}`;
        made += token;
      } else if ("[{".includes(token)) {
        depth += 1;
        made += token + (next === "]" || next === "}" ? "" : `\n${"  ".repeat(depth)}`);
      } else if (token === ",") {
        made += `,\n${"  ".repeat(depth)}`;
      } else {
        made += token === ":" ? ": " : token;
      }
    });
    return made;
  }
  let unsaved = false;
  document.addEventListener("input", (event) => {
    if (event.target.closest("[data-unsaved]")) unsaved = true;
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-unsaved]")) unsaved = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });

  // A file may be dropped on its field.
  for (const drop of all("[data-drop]")) {
    const input = drop.querySelector("input[type=file]");
    const over = (event, state) => {
      event.preventDefault();
      drop.classList.toggle("is-over", state);
    };
    drop.addEventListener("dragover", (event) => over(event, true));
    drop.addEventListener("dragleave", (event) => over(event, false));
    drop.addEventListener("drop", (event) => {
      over(event, false);
      if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
    });
  }

  // A page that was refused says why, so it is shown too; and the focus never falls back to the top of the page.
  let wasInGrid = false;
  document.addEventListener("htmx:beforeSwap", (event) => {
    wasInGrid = Boolean(document.activeElement.closest("[data-grid]"));
    if (event.detail.target.id === "grid" && [400, 422, 503].includes(event.detail.xhr.status)) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });
  document.addEventListener("htmx:afterSettle", () => {
    prepare(document);
    if (wasInGrid && document.activeElement === document.body) document.querySelector("[data-grid-scroll]")?.focus({ preventScroll: true });
  });
  window.addEventListener("pageshow", countSelected);
  prepare(document);
})();
