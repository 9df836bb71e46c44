// The page at work: charts, their legends and tables, definitions, the switches, and print.
"use strict";
(() => {
  const root = document.documentElement;
  const words = (en, zh) => (settings.lang === "zh" ? zh : en);

  // ---- numbers ----
  const small = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 });
  const large = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
  const shown = (value) => {
    if (typeof value !== "number" || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size !== 0 && size < 1e-4) return value.toExponential(2);
    return (size >= 1000 ? large : small).format(value);
  };
  const measured = (scale, value) => (scale === "sqrt" ? value * value : value);
  const escaped = (text) =>
    String(text).replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]);

  // ---- what the option leaves to the page ----
  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  // Texts of the language, colours of the theme, and functions by their names.
  const resolved = (node, calls) => {
    if (Array.isArray(node)) return node.map((each) => resolved(each, calls));
    if (node === null || typeof node !== "object") return node;
    const keys = Object.keys(node);
    if (keys.length === 2 && "en" in node && "zh" in node) return node[settings.lang];
    if (keys.length === 2 && "light" in node && "dark" in node) return node[root.dataset.theme];
    if (keys.length === 1 && "call" in node) return calls[node.call];
    return Object.fromEntries(keys.map((key) => [key, resolved(node[key], calls)]));
  };

  const stroke = (api, width) => ({ stroke: api.visual("color"), lineWidth: width, fill: null });
  const rendered = {
    errorBar(_, api) {
      const [x, low] = api.coord([api.value(0), api.value(1)]);
      const high = api.coord([api.value(0), api.value(2)])[1];
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: stroke(api, 1.2) });
      return { type: "group", children: [line(x, low, x, high), line(x - 4, low, x + 4, low), line(x - 4, high, x + 4, high)] };
    },
    band(params, api) {
      if (params.dataIndex !== 0) return null;
      const all = [...Array(params.dataInsideLength).keys()];
      const points = all.map((at) => api.coord([api.value(0, at), api.value(2, at)]));
      all.reverse().forEach((at) => points.push(api.coord([api.value(0, at), api.value(1, at)])));
      return { type: "polygon", shape: { points }, style: { fill: api.visual("color"), opacity: 0.18 } };
    },
    bin(_, api) {
      const [x, y] = api.coord([api.value(0), api.value(2)]);
      const [end, ground] = api.coord([api.value(1), 0]);
      const gap = end - x > 3 ? 1 : 0;
      return { type: "rect", shape: { x, y, width: Math.max(end - x - gap, 0.5), height: ground - y }, style: { fill: api.visual("color") } };
    },
    span(_, api) {
      const [x, y] = api.coord([api.value(1), api.value(0)]);
      const end = api.coord([api.value(2), api.value(0)])[0];
      const height = Math.max(api.size([0, 1])[1] * 0.82, 1);
      return { type: "rect", shape: { x, y: y - height / 2, width: Math.max(end - x, 0.6), height }, style: { fill: api.visual("color") } };
    },
  };

  // ---- tooltips ----
  const line = (name, value, marker = "") =>
    `<div class="told"><span>${marker}${escaped(name)}</span><b>${escaped(value)}</b></div>`;
  const firstLine = (text) => String(text).split("\n").join(" ");
  const teller = (panel) => (given) => {
    const all = Array.isArray(given) ? given : [given];
    const x = (value) => shown(measured(panel.x.scale, value));
    const y = (value) => shown(measured(panel.y.scale, value));
    const [xName, yName] = [resolved(panel.x.label), resolved(panel.y.label)].map(firstLine);
    const first = all[0];
    if (!first) return "";
    switch (panel.kind) {
      case "heat": {
        const [column, row, , value] = first.value;
        const { xAxis, yAxis } = panel.option;
        const of = (axis, at) => firstLine(resolved(axis.data[at]));
        return line(xName, of(xAxis, column)) + line(yName, of(yAxis, row)) + line(firstLine(resolved(panel.names.value)), shown(value));
      }
      case "spans": {
        const row = first.seriesType === "scatter" ? first.value[1] : first.value[0];
        const head = `<p class="told-head">${escaped(panel.names.rows[row])}</p>`;
        if (first.seriesType === "scatter") return head + line(first.seriesName, x(first.value[0]));
        const [, from, to] = first.value;
        return head + line(first.seriesName, `${x(from)} – ${x(to)} (${x(to - from)})`, first.marker) + `<p class="told-axis">${escaped(xName)}</p>`;
      }
      case "histogram":
        return line(xName, `${x(first.value[0])} – ${x(first.value[1])}`) + line(yName, shown(first.value[2]));
      case "bars":
      case "stacked": {
        const rows = all.map((each) => line(each.seriesName, shown(each.value), each.marker)).join("");
        return `<p class="told-head">${escaped(firstLine(first.name))}</p>${rows}<p class="told-axis">${escaped(yName)}</p>`;
      }
      default: {
        const points = all.filter((each) => each.seriesType !== "custom" && Array.isArray(each.value));
        if (points.length === 0) return "";
        const same = points.every((each) => each.value[0] === points[0].value[0]);
        const labels = points.filter((each) => each.name).map((each) => `<p class="told-head">${escaped(firstLine(each.name))}</p>`);
        const head = same ? line(xName, x(points[0].value[0])) : "";
        const rows = points.map((each) =>
          line(each.seriesName || yName, same ? y(each.value[1]) : `${x(each.value[0])} → ${y(each.value[1])}`, each.marker));
        return (points.length === 1 ? labels.join("") : "") + head + rows.join("") + `<p class="told-axis">${escaped(yName)}</p>`;
      }
    }
  };

  // ---- the look of axes ----
  const longest = (names) =>
    Math.max(0, ...names.map((name) => [...firstLine(name)].reduce((sum, c) => sum + (c > "\u2e80" ? 11 : 6.3), 0)));
  // How names stand along the bottom: level where they fit side by side, else slanted, else upright, and at last only every so many,
  // for none may lie over another. Of numbers nobody expects each to be written.
  const named = (names, room, height) => {
    const long = longest(names), pitch = room / Math.max(names.length, 1);
    if (long + 6 <= pitch) return { interval: 0, hideOverlap: false };
    if (names.every((name) => /^[<≥~]?[\d.,+−–\s-]*\p{L}?%?$/u.test(firstLine(name)))) return { hideOverlap: true };
    const [rotate, taken] = pitch >= 27 ? [32, 27] : [90, 13];
    const most = Math.max(125, 0.45 * height) / Math.sin((rotate * Math.PI) / 180);
    const cut = long > most ? { width: most, overflow: "truncate" } : {};
    return { rotate, interval: Math.max(0, Math.ceil(taken / pitch) - 1), hideOverlap: false, ...cut };
  };
  const dress = (option, panel, width, height) => {
    const ink = style("--ink"), muted = style("--muted"), rule = style("--line"), ground = style("--ground");
    const font = getComputedStyle(document.body).fontFamily;
    option.textStyle = { fontFamily: font, color: muted };
    const axis = (axis, scale, upright) => {
      axis.nameTextStyle = { color: muted, fontSize: 12, fontFamily: font };
      axis.nameGap = upright ? 12 : 10;
      axis.nameMoveOverlap = true;
      axis.axisLine = { show: !upright, lineStyle: { color: muted } };
      axis.axisTick = { ...axis.axisTick, lineStyle: { color: muted } };
      if (axis.type !== "category") {
        axis.axisLabel = { hideOverlap: true, ...axis.axisLabel, formatter: (value) => shown(measured(scale, value)) };
        axis.axisTick = { show: !upright, ...axis.axisTick };
      }
      axis.axisLabel = { color: muted, fontSize: 11, ...axis.axisLabel };
      axis.splitLine = { show: axis.type !== "category", lineStyle: { color: rule }, ...axis.splitLine };
    };
    if (option.xAxis.type === "category") {
      const beside = option.yAxis.type === "category" ? 100 + longest(option.yAxis.data) : 90;
      Object.assign(option.xAxis.axisLabel ??= {}, named(option.xAxis.data, width - beside, height));
    }
    if (panel.kind === "heat" && height - 60 >= 14 * option.yAxis.data.length) {
      Object.assign(option.yAxis.axisLabel, { interval: 0, hideOverlap: false });
    }
    axis(option.xAxis, panel.x.scale, false);
    axis(option.yAxis, panel.y.scale, true);
    option.xAxis.splitLine.show = false;
    Object.assign(option.tooltip, {
      backgroundColor: style("--card"), borderColor: rule, borderWidth: 1, padding: [8, 10],
      textStyle: { color: ink, fontSize: 12, fontFamily: font }, axisPointer: { type: panel.kind === "series" ? "line" : "shadow", lineStyle: { color: muted } },
      extraCssText: "box-shadow:0 4px 16px rgba(0,0,0,.18);max-width:22rem;white-space:normal",
    });
    if (option.visualMap) {
      option.visualMap.textStyle = { color: muted, fontSize: 11, fontFamily: font };
      option.grid.right = 70;
    }
    for (const series of option.series) {
      if (series.type === "heatmap") series.itemStyle.borderColor = ground;
      if (series.label && !series.label.color && series.type !== "heatmap") {
        Object.assign(series.label, { color: ink, textBorderColor: ground, textBorderWidth: 2 });
      }
      if (series.markLine) Object.assign(series.markLine.label, { fontFamily: font, textBorderColor: ground, textBorderWidth: 3 });
    }
  };

  // ---- figures ----
  const figures = [...document.querySelectorAll("figure.figure")].flatMap((element) => {
    const script = element.querySelector('script[type="application/json"]');
    return script ? [{ element, script, legend: element.querySelector(".legend"), hidden: new Set(), charts: null, data: null, seen: false }] : [];
  });
  const data = (figure) => (figure.data ??= JSON.parse(figure.script.textContent));

  const option = (figure, panel, width, height) => {
    const calls = { ...rendered, told: teller(panel), shade: (value) => shown(value) };
    const made = resolved(panel.option, calls);
    made.series = made.series.filter((series) => series.key == null || !figure.hidden.has(series.key));
    dress(made, panel, width, height);
    return made;
  };

  const swatch = (key) => {
    const color = resolved(key.color);
    const marks = { circle: '<circle cx="14" cy="6" r="3.5"/>', rect: '<rect x="10.5" y="2.5" width="7" height="7"/>',
      triangle: '<path d="M14 2l4 8h-8z"/>', diamond: '<path d="M14 1.5l4.5 4.5l-4.5 4.5l-4.5-4.5z"/>' };
    const mark = key.symbol?.startsWith("path://")
      ? `<path transform="translate(14 6) scale(.4)" d="${key.symbol.slice(7)}"/>` : (marks[key.symbol] ?? "");
    const dash = key.dash.map((length) => length * 1.8).join(" ");
    const inside = key.filled ? '<rect x="6" y="1" width="16" height="10" rx="2"/>'
      : (key.line ? `<path d="M0 6h28" fill="none" stroke="${color}" stroke-width="2" stroke-dasharray="${dash}"/>` : "") + mark;
    return `<svg width="28" height="12" viewBox="0 0 28 12" fill="${color}" aria-hidden="true">${inside}</svg>`;
  };

  const legend = (figure) => {
    const { legend: keys } = data(figure);
    figure.legend.hidden = keys.length === 0;
    if (figure.legend.childElementCount !== keys.length) {
      figure.legend.replaceChildren(...keys.map((_, at) => {
        const button = document.createElement("button");
        button.type = "button";
        button.addEventListener("click", () => {
          figure.hidden.has(at) ? figure.hidden.delete(at) : figure.hidden.add(at);
          draw(figure);
        });
        return button;
      }));
    }
    keys.forEach((key, at) => {
      const button = figure.legend.children[at];
      button.innerHTML = `${swatch(key)}<span>${escaped(resolved(key.name))}</span>`;
      button.setAttribute("aria-pressed", String(!figure.hidden.has(at)));
    });
  };

  const sizes = new ResizeObserver((entries) => {
    // Paper has sizes of its own, which are set where it is printed.
    if (settings.printing) return;
    for (const { target } of entries) {
      if (!(target.clientWidth > 0)) continue;
      target.chart?.resize();
      // How names stand depends on the room that they have.
      if (Math.abs(target.clientWidth - target.drawnAt) > 40) target.redraw?.();
    }
  });

  // On paper a chart has half of the width, but for what stands alone and needs its rows and columns.
  const paper = (figure, place) => {
    const panels = figure.element.querySelectorAll(".panel").length;
    if (panels === 1 && figure.element.classList.contains("wide")) return { width: 720, height: Math.max(200, Math.min(place.clientHeight, 430)) };
    if (panels === 3 && !figure.element.classList.contains("cells")) return { width: 240, height: 190 };
    const ratio = place.clientWidth > 0 ? place.clientHeight / place.clientWidth : 0.6;
    return { width: 350, height: Math.round(350 * Math.max(0.5, Math.min(ratio, 0.62))) };
  };

  const draw = (figure) => {
    legend(figure);
    const { panels } = data(figure);
    const places = [...figure.element.querySelectorAll(".chart")];
    const drawn = panels.filter(Boolean);
    figure.element.classList.toggle("cells", drawn.some((panel) => panel.kind === "heat"));
    places.forEach((place, at) => {
      if (!place.chart) {
        place.chart = echarts.init(place, null, { renderer: "svg" });
        sizes.observe(place);
      }
      place.redraw = () => {
        place.drawnAt = place.clientWidth;
        const { width, height } = settings.printing ? paper(figure, place) : { width: place.clientWidth, height: place.clientHeight };
        if (settings.printing) place.chart.resize({ width, height });
        else if (place.printed) place.chart.resize({ width: "auto", height: "auto" });
        place.printed = settings.printing;
        place.chart.setOption(option(figure, drawn[at], width, height), { notMerge: true });
      };
      place.redraw();
    });
    figure.seen = true;
    count();
  };
  const count = () => {
    root.dataset.figures = String(figures.length);
    root.dataset.drawn = String(figures.filter((figure) => figure.seen).length);
  };

  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      sight.unobserve(entry.target);
      const figure = figures.find((each) => each.element === entry.target);
      if (!figure.seen) draw(figure);
    }
  }, { rootMargin: "800px 0px" });

  // ---- the data behind a figure ----
  const MOST = 200;
  // Some of many: the first, the last, the greatest and the least of every column, and others evenly spread.
  const some = (rows) => {
    if (rows.length <= MOST) return rows;
    const kept = new Set([0, rows.length - 1]);
    const columns = rows[0].length;
    for (let column = 0; column < columns; column += 1) {
      let least = -1, most = -1;
      rows.forEach((row, at) => {
        if (typeof row[column] !== "number") return;
        if (least < 0 || row[column] < rows[least][column]) least = at;
        if (most < 0 || row[column] > rows[most][column]) most = at;
      });
      for (const at of [least, most]) if (at >= 0) kept.add(at);
    }
    for (let step = 1; kept.size < MOST && step < MOST; step += 1) kept.add(Math.round((step * rows.length) / MOST) % rows.length);
    return [...kept].sort((a, b) => a - b).map((at) => rows[at]);
  };
  const rowsOf = (panel) => {
    const { option, kind, names } = panel;
    const text = (node) => firstLine(resolved(node));
    const x = (value) => measured(panel.x.scale, value), y = (value) => measured(panel.y.scale, value);
    const [xName, yName] = [text(panel.x.label), text(panel.y.label)];
    const series = option.series.filter((each) => !each.rule && !each.failed);
    switch (kind) {
      case "histogram":
        return { head: [words("from", "从"), words("to", "到"), yName], rows: series[0].data.map(([from, to, n]) => [x(from), x(to), n]) };
      case "bars":
      case "stacked":
        return {
          head: [xName || words("what", "项目"), ...series.map((each) => text(each.name))],
          rows: option.xAxis.data.map((name, at) => [text(name), ...series.map((each) => each.data[at] ?? null)]),
        };
      case "heat": {
        const cells = new Map(series[0].data.map((cell) => cell.value ?? cell).map(([column, row, , value]) => [`${column},${row}`, value]));
        return {
          head: [`${yName} \\ ${xName}`, ...option.xAxis.data.map(text)],
          rows: option.yAxis.data.map((name, row) => [text(name), ...option.xAxis.data.map((_, column) => cells.get(`${column},${row}`) ?? null)]),
        };
      }
      case "spans": {
        const rows = names.rows.map((name) => [name, ...series.map(() => null)]);
        series.forEach((each, column) => each.data.forEach(([row, from, to]) => { rows[row][column + 1] = `${shown(x(from))} – ${shown(x(to))}`; }));
        return { head: [words("request", "请求"), ...series.map((each) => `${text(each.name)} (${xName})`)], rows };
      }
      default: {
        const bounds = new Map();
        for (const each of series.filter((each) => each.errors)) for (const [at, low, high] of each.data) bounds.set(`${each.key},${at}`, [y(low), y(high)]);
        const bounded = bounds.size > 0;
        const rows = series.filter((each) => !each.errors).flatMap((each) => each.data.map((datum) => {
          const [at, up] = datum.value ?? datum;
          const name = [text(each.name), datum.name].filter(Boolean).join(" · ");
          return [name, x(at), y(up), ...(bounded ? (bounds.get(`${each.key},${at}`) ?? [null, null]) : [])];
        }));
        return { head: [words("series", "系列"), xName, yName, ...(bounded ? [words("from", "下界"), words("to", "上界")] : [])], rows };
      }
    }
  };
  const behind = (figure) => {
    const place = figure.element.querySelector("details.behind");
    const tables = data(figure).panels.filter(Boolean).map((panel, at) => {
      const { head, rows } = rowsOf(panel);
      const chosen = some(rows);
      const cell = (value, at) => at === 0 ? `<th scope="row">${escaped(typeof value === "number" ? shown(value) : (value ?? "–"))}</th>`
        : `<td class="right">${escaped(typeof value === "string" ? value : shown(value))}</td>`;
      const title = figure.element.querySelectorAll(".chart")[at].parentElement.querySelector(".panel-title")?.innerText ?? "";
      const told = rows.length > chosen.length
        ? words(`${shown(chosen.length)} of ${shown(rows.length)} rows: evenly spread, with the greatest and the least`,
          `共 ${shown(rows.length)} 行，显示 ${shown(chosen.length)} 行：均匀选取，并包含最大值与最小值`)
        : words(`${shown(rows.length)} rows`, `${shown(rows.length)} 行`);
      return `<div class="scroll" role="region" tabindex="0" aria-label="${escaped(title || told)}"><table><caption>${escaped([title, told].filter(Boolean).join(" · "))}</caption>`
        + `<thead><tr>${head.map((name, at) => `<th scope="col"${at ? ' class="right"' : ""}>${escaped(name)}</th>`).join("")}</tr></thead>`
        + `<tbody>${chosen.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("")}</tbody></table></div>`;
    });
    place.querySelectorAll(":scope > :not(summary)").forEach((old) => old.remove());
    place.insertAdjacentHTML("beforeend", tables.join(""));
  };

  // ---- tables wider than their place ----
  const hint = (element) => element.toggleAttribute("data-more", element.scrollLeft + element.clientWidth < element.scrollWidth - 2);
  const widths = new ResizeObserver((entries) => { for (const { target } of entries) hint(target.closest(".scroll")); });
  for (const element of document.querySelectorAll("main .scroll")) {
    element.addEventListener("scroll", () => hint(element), { passive: true });
    widths.observe(element);
    if (element.firstElementChild) widths.observe(element.firstElementChild);
  }

  // ---- definitions ----
  const tip = document.getElementById("tip");
  const tell = (term) => {
    const definition = document.getElementById(term.getAttribute("aria-describedby"));
    if (!definition) return;
    tip.innerHTML = `<p class="told-head">${definition.previousElementSibling.innerHTML}</p>${definition.innerHTML}`;
    tip.hidden = false;
    const at = term.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - size.width - 8));
    const above = at.bottom + 8 + size.height > innerHeight && at.top > size.height + 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above ? at.top - size.height - 6 : at.bottom + 6}px`;
  };
  const hush = () => { tip.hidden = true; };
  for (const term of document.querySelectorAll("button.term")) {
    for (const event of ["mouseenter", "focus", "click"]) term.addEventListener(event, () => tell(term));
    term.addEventListener("mouseleave", () => { if (document.activeElement !== term) hush(); });
    term.addEventListener("blur", hush);
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hush(); });
  addEventListener("scroll", hush, { passive: true, capture: true });

  // ---- switches ----
  for (const input of document.querySelectorAll(".choice input")) {
    input.checked = settings[input.name] === input.value;
    input.addEventListener("change", () => settings.set(input.name, input.value));
  }
  const attributes = ["aria-label"];
  const spoken = () => {
    const title = document.querySelector("title");
    title.textContent = title.getAttribute(`data-title-${settings.lang}`) ?? title.textContent;
    for (const name of attributes) {
      for (const element of document.querySelectorAll(`[data-${name}-${settings.lang}]`)) element.setAttribute(name, element.getAttribute(`data-${name}-${settings.lang}`));
    }
  };
  settings.changed = () => {
    hush();
    spoken();
    for (const figure of figures) {
      if (figure.seen) draw(figure);
      if (figure.element.querySelector("details.behind").open) behind(figure);
    }
  };

  // ---- sections that can be folded ----
  const reveal = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    const own = target.querySelector(":scope > details");
    if (own) own.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  const narrow = matchMedia("(max-width: 72rem)");
  const contents = document.querySelector(".contents details");
  const settle = () => { contents.open = !narrow.matches; };
  narrow.addEventListener("change", settle);

  // ---- print ----
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main details:not(.behind):not(.raw)")].filter((each) => !each.open);
    for (const each of closed) each.open = true;
    settings.set("printing", true);
    for (const figure of figures) if (!figure.seen) draw(figure);
    // Paper is as wide as it is: pictures are scaled to it.
    for (const picture of document.querySelectorAll(".chart svg")) {
      picture.setAttribute("viewBox", `0 0 ${picture.getAttribute("width")} ${picture.getAttribute("height")}`);
    }
  });
  addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
    for (const picture of document.querySelectorAll(".chart svg")) picture.removeAttribute("viewBox");
    settings.set("printing", false);
  });

  // ---- begin ----
  spoken();
  settle();
  for (const figure of figures) {
    figure.element.querySelector("details.behind").addEventListener("toggle", (event) => { if (event.target.open) behind(figure); });
    if (settings.eager) draw(figure); else sight.observe(figure.element);
  }
  count();
  reveal();
  root.dataset.ready = "true";
})();
