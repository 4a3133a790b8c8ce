"""The live page: one document, with its style and its program inside, and nothing from other addresses."""

from __future__ import annotations

import base64
import hashlib

_STYLE = """
body { margin: 0; background: #16161a; color: #e8e6e3; font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1300px; margin: 0 auto; padding: 16px; }
h1 { font-size: 18px; font-weight: 600; margin: 0 0 12px; overflow-wrap: anywhere; }
.views { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 12px; }
figure { margin: 0; }
figcaption { color: #a8a5a0; margin-top: 4px; min-height: 1.5em; }
img { width: 100%; display: block; background: #000; border-radius: 6px; min-height: 60px; }
#depth { cursor: crosshair; }
.scale { height: 12px; border-radius: 6px; margin-top: 8px; }
.scale { background: linear-gradient(90deg, #000004, #3b0f70, #8c2981, #de4968, #fe9f6d, #fcfdbf); }
.ends { display: flex; justify-content: space-between; color: #a8a5a0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 12px; margin: 20px 0; }
dt { color: #a8a5a0; font-size: 13px; }
dd { margin: 0; font-size: 22px; font-variant-numeric: tabular-nums; }
#state { display: inline-block; border-radius: 10px; padding: 0 10px; background: #2f6b3a; margin-right: 8px; }
#state.lost { background: #8a5a12; }
#state.ended { background: #7a2525; }
"""

_PROGRAM = """
"use strict";
const at = id => document.getElementById(id);
const number = (value, digits) => value === null || value === undefined ? "-" : value.toFixed(digits);
const depth = value => value === null ? "none" : Number(value.toPrecision(3)) + " " + unit;
let grid = [], unit = "", failures = 0, restarted = false;

at("depth").addEventListener("mousemove", event => {
  if (!grid.length) return;
  const box = event.target.getBoundingClientRect();
  const cell = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
  const row = grid[cell((event.clientY - box.top) / box.height, grid.length)];
  at("here").textContent = "depth here: " + depth(row[cell((event.clientX - box.left) / box.width, row.length)]);
});
at("depth").addEventListener("mouseleave", () => { at("here").textContent = "near is bright"; });

function show(now) {
  grid = now.depths; unit = now.unit;
  at("name").textContent = now.source;
  at("state").textContent = now.state;
  at("state").className = now.state;
  at("rate").textContent = number(now.rate_now, 1) + " / s";
  at("p50").textContent = number(now.latency_ms.p50, 1) + " ms";
  at("p95").textContent = number(now.latency_ms.p95, 1) + " ms";
  at("predicted").textContent = now.predicted;
  at("dropped").textContent = now.dropped;
  at("losses").textContent = now.losses;
  at("size").textContent = now.size === null ? "-" : now.size.join(" x ");
  at("middle").textContent = now.middle === null ? "-" : depth(now.middle);
  at("far").textContent = now.far === null ? "far" : "far, " + depth(now.far);
  at("near").textContent = now.near === null ? "near" : "near, " + depth(now.near);
  at("about").textContent = now.about;
}

async function poll() {
  try {
    const answer = await fetch("figures.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    if (failures > 2) for (const id of ["picture", "depth"]) at(id).src = id + ".mjpg?" + Date.now();
    failures = 0;
  } catch (error) {
    failures += 1;
    if (failures > 2) { at("state").textContent = "the program has ended"; at("state").className = "ended"; }
  }
  setTimeout(poll, failures > 2 ? 2000 : 400);
}
poll();
"""

PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>selfdepth live</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>{_STYLE}</style></head><body><main>
<h1><span id="state">opening</span><span id="name"></span></h1>
<div class="views">
<figure><img id="picture" src="picture.mjpg" alt="the newest frame"><figcaption>picture</figcaption></figure>
<figure><img id="depth" src="depth.mjpg" alt="its depth, near is bright">
<figcaption id="here">near is bright</figcaption>
<div class="scale"></div><div class="ends"><span id="far">far</span><span id="near">near</span></div></figure>
</div>
<dl>
<div><dt>depth maps per second</dt><dd id="rate">-</dd></div>
<div><dt>latency, p50</dt><dd id="p50">-</dd></div>
<div><dt>latency, p95</dt><dd id="p95">-</dd></div>
<div><dt>depth in the middle</dt><dd id="middle">-</dd></div>
<div><dt>frames predicted</dt><dd id="predicted">-</dd></div>
<div><dt>frames dropped</dt><dd id="dropped">-</dd></div>
<div><dt>times the source was lost</dt><dd id="losses">-</dd></div>
<div><dt>frame</dt><dd id="size">-</dd></div>
</dl>
<p id="about"></p>
</main><script>{_PROGRAM}</script></body></html>
"""
"""The document."""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; img-src 'self' data:; connect-src 'self'; script-src {_hash(_PROGRAM)}; "
    f"style-src {_hash(_STYLE)}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of the document: this style and this program, and pictures from the same server."""
